//! Who holds a token at a moment, and what it lets them do: what requests are judged by, and what introspection tells.
//!
//! Spec: RFC 6750, SMART App Launch 2.2

use std::collections::BTreeSet;
use std::sync::Arc;

use thiserror::Error;

use crate::access::{Agent, Caller, Context, Holding, Scope, ScopeSet, TokenFacts, Unfit, Word, decide};
use crate::fhir::{Id, Reference, ResourceKey, ResourceType};
use crate::outbound;
use crate::search::{AccessFilter, Registry, Right, Sensitivity, View, actor_of_client, actor_of_user};
use crate::store::{
    AccessToken, Account, Client, ClientState, Grant, GrantLevel, Grantee, Labels, Reader, SecretHash, Store,
    StoreError, TokenContext,
};

/// Why a token is not accepted.
#[derive(Debug, Error)]
pub enum TokenRefused {
    /// Unknown, expired, revoked, or its client or account is out of use. Which of these is nobody's business.
    #[error("the access token is not valid, or is so no longer: get a new one")]
    Invalid,
    /// It is what it says that can't be applied.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tokens of a server, and what decides what they let do.
pub struct Tokens<'a> {
    pub store: &'a Store,
    pub registry: Arc<Registry>,
    /// The server's own base URLs, without a slash at the end.
    pub bases: &'a Arc<[String]>,
}

/// The holder of a token, as of one moment.
pub(super) struct Holder {
    /// The count of changes to what anybody may do, by which it was decided.
    pub generation: i64,
    pub caller: Caller,
    context: TokenContext,
    facts: TokenFacts,
}

impl Tokens<'_> {
    /// Decides who holds the token with this hash, and what they may do.
    pub(super) fn holder(&self, hash: &SecretHash, now_us: i64) -> Result<Holder, TokenRefused> {
        let (generation, context, actors) = self.store.read(|reader| {
            let (generation, context) = (reader.access_generation()?, reader.token_context(hash, now_us)?);
            let actors = context.as_ref().map(|context| actors(reader, context)).transpose()?.flatten();
            Ok::<_, StoreError>((generation, context, actors))
        })?;
        let context = context.ok_or(TokenRefused::Invalid)?;
        let facts = TokenFacts { actors, ..facts(&context) };
        let record = facts.sole_record().map(|record| self.store.hasher().key(record));
        let agent = Agent { record, ..agent(&context, hash) };
        let caller = Caller::bounded(decide(&facts, &self.registry, self.bases)?, agent);
        Ok(Holder { generation, caller, context, facts })
    }

    /// A person at the server's own pages, with all that they hold.
    pub fn person(&self, account: &Account, now_us: i64) -> Result<Caller, TokenRefused> {
        let holdings = self.store.read_one(|reader| reader.standing_of_account(account.id, now_us))?;
        let facts = TokenFacts {
            scopes: ScopeSet::parse("user/*.cruds"),
            policy: None,
            app_grant: None,
            is_of_app: false,
            patient: None,
            fhir_user: None,
            origin: None,
            is_approved: false,
            holdings: holdings.iter().map(holding).collect(),
            holder: format!("page {}", account.id),
            actors: None,
        };
        let agent = Agent { account: Some(account.id), fhir_user: account.fhir_user.clone(), ..Agent::default() };
        Ok(Caller::bounded(decide(&facts, &self.registry, self.bases)?, agent))
    }

    /// What of its scopes a token lets its holder use by now, in its form and order.
    pub(super) fn scopes(&self, holder: &Holder) -> ScopeSet {
        let facts = &holder.facts;
        let mut scopes = facts.scopes.clone();
        for limit in facts.policy.iter().chain(facts.app_grant.iter().map(|grant| &grant.scopes)) {
            scopes = scopes.intersection(limit);
        }
        let mut given: Vec<Scope> = Vec::new();
        for context in Context::ALL {
            let asked = scopes.in_context(context);
            // Whether a grant counts in a context, the decision itself says: of it alone.
            for holding in facts.holdings.iter().filter(|_| !asked.is_empty()) {
                let alone = TokenFacts {
                    scopes: asked.clone(),
                    holdings: vec![holding.clone()],
                    actors: None,
                    ..facts.clone()
                };
                let is_open = decide(&alone, &self.registry, self.bases).is_ok_and(|filter| opens(&filter));
                if is_open {
                    given.extend(holding.scopes.scopes().iter().map(|scope| Scope { context, ..scope.clone() }));
                }
            }
        }
        scopes.narrowed(&given)
    }
}

impl Holder {
    /// What is kept of the token.
    pub fn token(&self) -> &AccessToken {
        &self.context.token
    }

    /// The client to which it was issued.
    pub fn client(&self) -> Option<&Client> {
        self.context.client.as_ref()
    }

    /// On whose behalf it was issued.
    pub fn account(&self) -> Option<&Account> {
        self.context.account.as_ref()
    }

    /// Whether there is anything at all that may be done.
    pub fn opens_anything(&self) -> bool {
        opens(self.caller.filter())
    }

    /// First moment when it must be decided anew.
    pub fn until_us(&self) -> i64 {
        let ends = self.context.grants.iter().filter_map(|grant| grant.until_us);
        ends.fold(self.context.token.expires_us, i64::min)
    }

    /// In which context the token would need a scope that it lacks.
    pub fn needs(&self) -> Context {
        match (&self.context.token.account, &self.context.token.patient) {
            (None, _) => Context::System,
            (Some(_), Some(_)) => Context::Patient,
            (Some(_), None) => Context::User,
        }
    }
}

fn opens(filter: &AccessFilter) -> bool {
    Right::ALL.into_iter().any(|right| !matches!(filter.view(&[], right), View::Nothing))
}

fn agent(context: &TokenContext, token: &SecretHash) -> Agent {
    Agent {
        client: context.client.as_ref().map(|client| client.id.clone()),
        account: context.account.as_ref().map(|account| account.id),
        fhir_user: context.account.as_ref().and_then(|account| account.fhir_user.clone()),
        token: Some(token.tail()),
        ..Agent::default()
    }
}

fn facts(context: &TokenContext) -> TokenFacts {
    let TokenContext { token, client, account, grants } = context;
    let is_to_app = |grant: &&Grant| account.is_some() && matches!(grant.to, Grantee::Client(_));
    let (account_id, client_id) =
        (account.as_ref().map(|account| account.id), client.as_ref().map(|client| &client.id));
    TokenFacts {
        scopes: ScopeSet::parse(&token.scopes),
        policy: client.as_ref().map(|client| ScopeSet::parse(&client.scopes)),
        app_grant: grants.iter().find(is_to_app).map(holding),
        is_of_app: account.is_some() && client.is_some(),
        patient: token.patient.as_ref().map(patient),
        fhir_user: fhir_user(context),
        origin: client.as_ref().and_then(origin),
        is_approved: client.as_ref().is_some_and(|client| client.state() == ClientState::Approved),
        holdings: grants.iter().filter(|grant| !is_to_app(grant)).map(holding).collect(),
        holder: format!("{account_id:?} {client_id:?}"),
        actors: None,
    }
}

/// The one origin to which all codes and tokens of an app come.
fn origin(client: &Client) -> Option<String> {
    let mut origins = client.redirect_uris.iter().map(|uri| outbound::origin(uri));
    let first = origins.next()??;
    origins.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// Who the person is as a resource, where the token lets that be known.
fn fhir_user(context: &TokenContext) -> Option<ResourceKey> {
    let scopes = ScopeSet::parse(&context.token.scopes);
    let user = context.account.as_ref()?.fhir_user.as_deref()?;
    match Reference::parse(user, &[]) {
        Reference::Local { key, .. } if scopes.has(Word::OpenId) && scopes.has(Word::FhirUser) => Some(key),
        _ => None,
    }
}

/// The names by which Consents know the holder: who the person is, also as the one who has a role or is linked as a Person, and the
/// client. `None` while no Consent denies anything.
fn actors(reader: &mut Reader<'_>, context: &TokenContext) -> Result<Option<Vec<i64>>, StoreError> {
    if !reader.has_consent_rules()? {
        return Ok(None);
    }
    let hasher = reader.hasher();
    let mut actors: Vec<i64> = context.client.iter().map(|client| actor_of_client(&client.id, &hasher)).collect();
    let user = context.account.as_ref().and_then(|account| account.fhir_user.as_deref());
    if let Some(Reference::Local { key, .. }) = user.map(|user| Reference::parse(user, &[])) {
        actors.extend(led_to(reader, key)?);
    }
    Ok(Some(actors))
}

/// `user` and whom it leads to, also by way of others. What is looked at here is what counts the generation on when it changes
/// (`store::tx::changes_access`); how far it goes is bounded by the time of a read.
fn led_to(reader: &mut Reader<'_>, user: ResourceKey) -> Result<BTreeSet<i64>, StoreError> {
    let mut met = BTreeSet::from([actor_of_user(&user, &reader.hasher())]);
    let mut ahead = vec![user];
    while let Some(key) = ahead.pop() {
        let of = key.resource_type;
        let leads = match of.name() {
            "Person" => Registry::bundled().parameter(of, "link"),
            "PractitionerRole" => Registry::bundled().parameter(of, "practitioner"),
            _ => None,
        };
        let Some(by) = leads else { continue };
        let mut targets = reader.referred_by(&key, by.id())?;
        targets.retain(|target| met.insert(*target));
        if !targets.is_empty() {
            ahead.extend(reader.targets(&targets)?.into_iter().map(|target| target.key));
        }
    }
    Ok(met)
}

fn holding(grant: &Grant) -> Holding {
    let is_custodian = grant.level == GrantLevel::Custodian;
    Holding {
        record: grant.patient.as_ref().map(patient),
        scopes: ScopeSet::parse(&grant.scopes),
        sees: Sensitivity {
            personal: is_custodian,
            restricted: is_custodian || grant.labels >= Labels::Restricted,
            very_restricted: is_custodian || grant.labels >= Labels::VeryRestricted,
            app_state: is_custodian,
        },
        sees_history: is_custodian || grant.sees_history,
        is_custodian,
    }
}

fn patient(id: &Id) -> ResourceKey {
    ResourceKey { resource_type: ResourceType::PATIENT, id: id.clone() }
}
