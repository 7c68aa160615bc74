//! From what an app asks for to a code: what the person is asked, and what comes of the answer.
//!
//! Spec: RFC 6749 section 4.1.1; SMART App Launch 2.2 app-launch.html; OpenID Connect Core 1.0 section 3.1.2

use serde_json::Value;

use crate::access::{Caller, Context, Scope, ScopeSet, Word};
use crate::auth::consent::{self, Held, Offer};
use crate::auth::launch::LaunchContext;
use crate::auth::picking::{Records, in_words};
use crate::auth::{AuthError, AuthServer, AuthorizeRequest, Back, SignedIn, Tokens, new_code};
use crate::fhir::{Id, ResourceType, whole};
use crate::interactions::{Engine, InteractionError, search};
use crate::records::{let_app_act, may_use};
use crate::search::{Handling, ParseContext, parse};
use crate::store::{Grant, Launch, ResourceRow, SecretHash, StoreError};

/// So many visits are shown to choose from.
const MOST_VISITS: &str = "20";

/// A visit that may be chosen.
#[derive(Clone, Debug)]
pub struct VisitChoice {
    /// The id of the Encounter.
    pub id: String,
    pub words: String,
}

/// What a person is asked.
#[derive(Clone, Debug)]
pub struct Question {
    pub offer: Offer,
    /// The records that may be chosen from, where it is not settled which one; or the one that it is about.
    pub records: Records,
    /// Whether a record is chosen here.
    pub picks: bool,
    /// The visits that may be chosen from, where one is asked for.
    pub visits: Vec<VisitChoice>,
    /// Whether anything is to be written.
    pub changes: bool,
}

/// How it goes on.
#[derive(Debug)]
pub enum Step {
    /// Back to the app, with an error.
    Back(Back),
    /// Back to the app, with a code: to this address.
    Go(String),
    Ask(Box<Question>),
}

/// What the person answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The scopes that were ticked.
    pub ticked: Vec<String>,
    /// The id of the Patient that was chosen.
    pub record: Option<String>,
    /// What the record is searched by, among many.
    pub sought: Option<String>,
    /// The id of the Encounter that was chosen; empty for none in particular.
    pub visit: Option<String>,
    /// First moment when it is over.
    pub until_us: Option<i64>,
}

/// What all steps need.
pub struct Desk<'d> {
    pub engine: &'d Engine,
    pub server: &'d AuthServer,
    pub tokens: Tokens<'d>,
    pub now_us: i64,
}

/// Why the answer of a person does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// No record was chosen, or one that is not among those that may be.
    Record,
    /// No visit was chosen, or one that is not among those that may be.
    Visit,
    /// What the app needs was not ticked.
    Needed(Vec<String>),
    /// The end lies in the past.
    Until,
}

impl Desk<'_> {
    /// What is to be asked, if anything.
    pub fn look(&self, request: &AuthorizeRequest, signed_in: &SignedIn) -> Result<Step, AuthError> {
        if let Some(back) = self.barred(request, signed_in)? {
            return Ok(Step::Back(back));
        }
        let Some(stand) = self.stand(request, signed_in, &Answer::default())? else {
            return Ok(Step::Back(stale(request)));
        };
        let settled = stand.records.settled();
        let held = self.held(request, signed_in, settled.map(|record| record.id.as_str()))?;
        let is_held = request.scopes.is_within(&consent::with_unasked(&held.scopes()));
        let needs_record = consent::needs_patient(&request.scopes) && settled.is_none();
        let needs_record = needs_record || !stand.visits.is_empty();
        if is_held && !needs_record && !request.prompt.consent && request.is_certain() {
            let answer = Answer { record: settled.map(|record| record.id.clone()), ..Answer::default() };
            return self.allow(request, signed_in, &stand, &answer, &held);
        }
        if request.prompt.none {
            let (error, text) = match needs_record {
                true => ("interaction_required", "a record or a visit must be chosen"),
                false => ("consent_required", "the person must be asked"),
            };
            return Ok(Step::Back(request.back(error, text)));
        }
        if consent::needs_patient(&request.scopes) && stand.records.shown.is_empty() {
            return Ok(Step::Back(request.back("access_denied", "there is no record that this person may see")));
        }
        Ok(Step::Ask(Box::new(question(request, &stand, &held))))
    }

    /// The question again, with the records that have what is sought.
    pub fn seek(&self, request: &AuthorizeRequest, signed_in: &SignedIn, answer: &Answer) -> Result<Step, AuthError> {
        if let Some(back) = self.barred(request, signed_in)? {
            return Ok(Step::Back(back));
        }
        let Some(stand) = self.stand(request, signed_in, answer)? else { return Ok(Step::Back(stale(request))) };
        let settled = stand.records.settled().map(|record| record.id.as_str());
        let held = self.held(request, signed_in, settled)?;
        Ok(Step::Ask(Box::new(question(request, &stand, &held))))
    }

    /// What comes of an answer: a way on, or the question again with what is amiss.
    pub fn answer(
        &self,
        request: &AuthorizeRequest,
        signed_in: &SignedIn,
        answer: &Answer,
    ) -> Result<Result<Step, (Box<Question>, Unanswered)>, AuthError> {
        if let Some(back) = self.barred(request, signed_in)? {
            return Ok(Ok(Step::Back(back)));
        }
        let Some(mut stand) = self.stand(request, signed_in, answer)? else {
            return Ok(Ok(Step::Back(stale(request))));
        };
        let settled = stand.records.settled().map(|record| record.id.clone());
        let asked_of = settled.as_deref();
        let chosen = settled.clone().or_else(|| answer.record.clone());
        let is_choice = |id: &String| stand.records.shown.iter().any(|record| record.id == *id);
        let chosen = chosen.filter(is_choice);
        let shown = self.held(request, signed_in, asked_of)?;
        if let Some(chosen) = chosen.as_ref().filter(|_| settled.is_none()) {
            stand.visits = self.visits(request, signed_in, chosen)?;
        }
        let is_visit = |id: &str| id.is_empty() || stand.visits.iter().any(|visit| visit.id == id);
        let again = |what| Ok(Err((Box::new(question(request, &stand, &shown)), what)));
        if consent::needs_patient(&request.scopes) && chosen.is_none() {
            return again(Unanswered::Record);
        }
        if !stand.visits.is_empty() && !answer.visit.as_deref().is_some_and(is_visit) {
            return again(Unanswered::Visit);
        }
        if answer.until_us.is_some_and(|until_us| until_us <= self.now_us) {
            return again(Unanswered::Until);
        }
        let allowed = consent::allowed(&request.scopes, answer.ticked.iter().map(String::as_str), &shown.scopes());
        let offer = consent::offer(&request.client, &request.scopes, &shown);
        let lacking: Vec<String> = consent::lacking(&offer, &allowed).into_iter().map(str::to_owned).collect();
        if !lacking.is_empty() {
            return again(Unanswered::Needed(lacking));
        }
        let answer = Answer { record: chosen, ..answer.clone() };
        self.allow(request, signed_in, &stand, &answer, &shown).map(Ok)
    }

    /// Why this person can't use the app at all, if so.
    fn barred(&self, request: &AuthorizeRequest, signed_in: &SignedIn) -> Result<Option<Back>, AuthError> {
        let account = signed_in.account.id;
        if self.engine.store.read_one(|reader| may_use(reader, &request.client, account))? {
            return Ok(None);
        }
        let text = "this app is being tried out, and this person is not among those who do that";
        Ok(Some(request.back("access_denied", text)))
    }

    /// Grants what is to be granted, and gives a code for it.
    fn allow(
        &self,
        request: &AuthorizeRequest,
        signed_in: &SignedIn,
        stand: &Stand,
        answer: &Answer,
        shown: &Held,
    ) -> Result<Step, AuthError> {
        let patient =
            answer.record.as_ref().filter(|_| consent::needs_patient(&request.scopes) || stand.launch.is_some());
        let ticked = || answer.ticked.iter().map(String::as_str);
        let allowed = consent::allowed(&request.scopes, ticked(), &shown.scopes());
        // What stands from before goes on as long as it did, and no longer.
        let taken_over = consent::untouched(&allowed, ticked());
        let until_us = [answer.until_us, shown.ends_us(&taken_over)].into_iter().flatten().min();
        let allowed = self.within_holdings(&allowed, signed_in, patient.map(String::as_str))?;
        if allowed.scopes().is_empty() && !request.scopes.scopes().is_empty() {
            return Ok(Step::Back(request.back("access_denied", "nothing was allowed that this person may give")));
        }
        if allowed.scopes().is_empty() && !allowed.has(Word::OpenId) {
            return Ok(Step::Back(request.back("access_denied", "nothing was allowed")));
        }
        let visit = answer.visit.clone().filter(|visit| stand.visits.iter().any(|known| known.id == *visit));
        let encounter = stand.context.encounter.clone().or(visit);
        let context = LaunchContext { patient: patient.cloned(), encounter, ..stand.context.clone() };
        let of_record = patient.filter(|_| consent::is_for_one_record(&request.scopes));
        let serving = self.serving(request, signed_in, of_record.map(String::as_str))?;
        let fits = |grant: &&Grant| allowed.is_within(&ScopeSet::parse(&grant.scopes)) && grant.until_us == until_us;
        let kept = serving.iter().find(fits).cloned();
        let of_record = of_record.map(|id| Id::parse(id)).transpose();
        let of_record = of_record.map_err(|_| StoreError::Damaged("the id of a record".to_owned()))?;
        let work = Work {
            request: request.clone(),
            signed_in: signed_in.clone(),
            launch: stand.launch.as_ref().map(|launch| launch.hash),
            until_us,
            allowed,
            context,
            kept,
            of_record,
            now_us: self.now_us,
        };
        let code = self.engine.store.write(move |tx| work.apply(tx))?;
        match code {
            Some(code) => Ok(Step::Go(request.with_code(&self.server.endpoints.issuer, code.as_str())?)),
            None => Ok(Step::Back(stale(request))),
        }
    }

    /// What the request stands on: its launch, and the records that it may be for; `None` when the launch counts no more.
    fn stand(
        &self,
        request: &AuthorizeRequest,
        signed_in: &SignedIn,
        answer: &Answer,
    ) -> Result<Option<Stand>, AuthError> {
        let launch = match &request.launch {
            None => None,
            Some(handle) => {
                let hash = SecretHash::of(handle.as_bytes());
                let launch = self.engine.store.read_one(|reader| reader.launch(&hash).map_err(AuthError::from))?;
                let fits = |launch: &Launch| {
                    launch.client == request.client.id
                        && launch.account == signed_in.account.id
                        && self.now_us < launch.expires_us
                };
                match launch.filter(fits) {
                    None => return Ok(None),
                    launch => launch,
                }
            }
        };
        let context = match &launch {
            Some(launch) => LaunchContext::parse(&launch.context)?,
            None => LaunchContext::default(),
        };
        let caller = self.caller(signed_in)?;
        let records = match (&context.patient, consent::needs_patient(&request.scopes)) {
            (Some(id), _) => Records { shown: self.records(&caller, &[("_id", id)])?, ..Records::default() },
            (None, true) => self.pick(&caller, answer.sought.as_deref(), answer.record.as_deref())?,
            (None, false) => Records::default(),
        };
        if context.patient.is_some() && records.shown.is_empty() {
            return Ok(None);
        }
        let mut stand = Stand { launch, context, records, visits: Vec::new() };
        if let Some(record) = stand.records.settled().filter(|_| stand.launch.is_none()) {
            stand.visits = self.visits(request, signed_in, &record.id)?;
        }
        Ok(Some(stand))
    }

    /// The latest visits of a record, where the app wants one.
    fn visits(
        &self,
        request: &AuthorizeRequest,
        signed_in: &SignedIn,
        record: &str,
    ) -> Result<Vec<VisitChoice>, AuthError> {
        if !request.scopes.has(Word::LaunchEncounter) {
            return Ok(Vec::new());
        }
        let Ok(encounter) = ResourceType::parse("Encounter") else { return Ok(Vec::new()) };
        let query = [("patient", record), ("_sort", "-date"), ("_count", MOST_VISITS)];
        let found = self.found(&self.caller(signed_in)?, encounter, &query)?;
        let choice = |visit: &Value| {
            let id = visit["id"].as_str()?.to_owned();
            Some(VisitChoice { id, words: visit_in_words(visit) })
        };
        Ok(found.iter().filter_map(choice).collect())
    }

    fn caller(&self, signed_in: &SignedIn) -> Result<Caller, AuthError> {
        let caller = self.tokens.person(&signed_in.account, self.now_us);
        caller.map_err(|error| StoreError::Damaged(format!("the rights of an account: {error}")).into())
    }

    /// What the person may see of what is searched for, as JSON.
    pub(super) fn found(
        &self,
        caller: &Caller,
        of: ResourceType,
        query: &[(&str, &str)],
    ) -> Result<Vec<Value>, AuthError> {
        let registry = self.engine.registry();
        let context = ParseContext { handling: Handling::Strict, bases: &self.engine.bases, registry: &registry };
        let pairs: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let unfit = |error: &dyn std::fmt::Display| StoreError::Damaged(format!("the search for {of}: {error}"));
        let request = parse(Some(of), &pairs, &context).map_err(|error| unfit(&error))?;
        let settings = self.engine.search_settings();
        let page = self.engine.store.read(|reader| search(reader, caller, &request, &settings));
        let page = match page {
            Ok(page) => page,
            // Who holds nothing may search for nothing.
            Err(InteractionError::Denied(_)) => return Ok(Vec::new()),
            Err(InteractionError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(unfit(&error).into()),
        };
        let body = |row: ResourceRow| {
            let damaged = |error| StoreError::Damaged(format!("the body of {}: {error}", row.key));
            whole(&row.key, row.version, row.updated_us, &row.tail.unwrap_or_default()).map_err(damaged)
        };
        page.rows.into_iter().map(body).collect::<Result<_, StoreError>>().map_err(AuthError::from)
    }

    /// The name of a record, as far as the person may see it.
    pub fn record_name(&self, signed_in: &SignedIn, id: &str) -> Result<Option<String>, AuthError> {
        let records = self.records(&self.caller(signed_in)?, &[("_id", id)])?;
        Ok(records.into_iter().next().map(|record| record.name))
    }

    /// The grants to the app that this person gave, and that a request for this record can use.
    fn serving(
        &self,
        request: &AuthorizeRequest,
        signed_in: &SignedIn,
        patient: Option<&str>,
    ) -> Result<Vec<Grant>, AuthError> {
        let account = signed_in.account.id;
        let grants = self.engine.store.read_one(|reader| reader.grants_to_app(account, &request.client.id))?;
        let serves = |grant: &Grant| consent::serves(grant, account, patient, self.now_us);
        Ok(grants.into_iter().filter(serves).collect())
    }

    /// What this person has allowed the app before, and is still in force.
    fn held(&self, request: &AuthorizeRequest, signed_in: &SignedIn, patient: Option<&str>) -> Result<Held, AuthError> {
        let is_for_one = consent::is_for_one_record(&request.scopes);
        if is_for_one && consent::needs_patient(&request.scopes) && patient.is_none() {
            return Ok(Held::default());
        }
        Ok(Held::new(self.serving(request, signed_in, patient.filter(|_| is_for_one))?))
    }

    /// `scopes` as far as the person holds what they let be done. Nobody gives more than they hold.
    fn within_holdings(
        &self,
        scopes: &ScopeSet,
        signed_in: &SignedIn,
        patient: Option<&str>,
    ) -> Result<ScopeSet, AuthError> {
        let account = signed_in.account.id;
        let holdings = self.engine.store.read_one(|reader| reader.standing_of_account(account, self.now_us))?;
        let mut given = Vec::new();
        for grant in &holdings {
            let is_for = |context: Context| {
                context == Context::User || grant.patient.as_ref().is_none_or(|record| Some(record.as_str()) == patient)
            };
            for context in [Context::Patient, Context::User].into_iter().filter(|context| is_for(*context)) {
                let held = ScopeSet::parse(&grant.scopes);
                given.extend(held.scopes().iter().map(|scope| Scope { context, ..scope.clone() }));
            }
        }
        Ok(scopes.narrowed(&given))
    }
}

/// What a request stands on.
struct Stand {
    launch: Option<Launch>,
    context: LaunchContext,
    records: Records,
    visits: Vec<VisitChoice>,
}

fn question(request: &AuthorizeRequest, stand: &Stand, held: &Held) -> Question {
    Question {
        offer: consent::offer(&request.client, &request.scopes, held),
        records: stand.records.clone(),
        picks: stand.records.are_many || stand.records.shown.len() > 1,
        visits: stand.visits.clone(),
        changes: consent::changes_anything(&request.scopes),
    }
}

fn stale(request: &AuthorizeRequest) -> Back {
    request.back(
        "invalid_request",
        "the launch is over, was taken up already, or is for another person or app: launch anew",
    )
}

/// A visit as the person may know it: when it was, and what for or where.
fn visit_in_words(visit: &Value) -> String {
    let start = visit["period"]["start"].as_str().map(|start| in_words(start.get(..10).unwrap_or(start)));
    let coded = |concept: &Value| {
        let text = concept["text"].as_str().or(concept["coding"][0]["display"].as_str());
        text.map(str::to_owned)
    };
    let what = coded(&visit["type"][0]).or(visit["class"]["display"].as_str().map(str::to_owned));
    let parts: Vec<String> = [start, what].into_iter().flatten().collect();
    match parts.is_empty() {
        true => format!("Visit {}", visit["id"].as_str().unwrap_or_default()),
        false => parts.join(", "),
    }
}

/// What is written when a person allows something.
struct Work {
    request: AuthorizeRequest,
    signed_in: SignedIn,
    launch: Option<SecretHash>,
    until_us: Option<i64>,
    allowed: ScopeSet,
    context: LaunchContext,
    /// A grant that says all of it already.
    kept: Option<Grant>,
    of_record: Option<Id>,
    now_us: i64,
}

impl Work {
    /// The code; `None` when the launch was taken up meanwhile.
    fn apply(&self, tx: &mut crate::store::Tx<'_>) -> Result<Option<crate::records::Secret>, AuthError> {
        if let Some(launch) = &self.launch
            && !tx.take_launch(launch)?
        {
            return Ok(None);
        }
        let (client, account) = (&self.request.client.id, self.signed_in.account.id);
        let grant = match &self.kept {
            Some(grant) => grant.clone(),
            None => {
                let granted = let_app_act(tx, client, account, self.of_record.clone(), &self.allowed, self.until_us);
                granted?
            }
        };
        let (code, kept) = new_code(&self.request, &self.signed_in, &grant, &self.allowed, &self.context, self.now_us)?;
        tx.add_authorization_code(&kept)?;
        Ok(Some(code))
    }
}
