//! What a person is asked when an app wants access, and what comes of the answer.
//!
//! What was not ticked is not granted. What the person has allowed this app before keeps working, and is not asked again.
//!
//! Spec: SMART App Launch 2.2 scopes-and-launch-context.html; RFC 6749 section 3.3

use crate::access::{Context, Right, Scope, ScopeSet, Types, Word};
use crate::auth::words;
use crate::store::{Client, Grant};

/// A line of the page, with its box.
#[derive(Clone, Debug)]
pub struct Line {
    /// The scope as the form sends it.
    pub value: String,
    /// What it means, in plain words.
    pub words: String,
    /// Why the app wants it, in the words of its maker.
    pub reason: Option<String>,
    /// The app does not work without it.
    pub is_needed: bool,
    /// Finer choices in its place.
    pub parts: Vec<Part>,
}

/// A finer choice.
#[derive(Clone, Debug)]
pub struct Part {
    /// The scope as the form sends it.
    pub value: String,
    pub words: String,
}

/// What the page shows of a request.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// To be asked.
    pub lines: Vec<Line>,
    /// Allowed before, and in force.
    pub held: Vec<String>,
}

/// What a person has allowed an app before, and is still in force.
#[derive(Clone, Debug, Default)]
pub struct Held(Vec<Grant>);

impl Held {
    pub fn new(grants: Vec<Grant>) -> Held {
        Held(grants)
    }

    /// The scopes. What was allowed for the record of a launch is allowed for no other: where a grant names none, it counts for what is
    /// about all records alone.
    pub fn scopes(&self) -> ScopeSet {
        self.of(|_| true)
    }

    fn of(&self, counts: impl Fn(&Grant) -> bool) -> ScopeSet {
        let scopes = self.0.iter().filter(|grant| counts(grant)).map(|grant| {
            let scopes = ScopeSet::parse(&grant.scopes);
            match grant.patient {
                Some(_) => scopes,
                None => scopes.without(Context::Patient),
            }
        });
        let texts: Vec<String> = scopes.map(|scopes| scopes.to_string()).collect();
        ScopeSet::parse(&texts.join(" "))
    }

    /// First moment when not all of `scopes` is allowed any more; `None` when that has no end.
    pub fn ends_us(&self, scopes: &ScopeSet) -> Option<i64> {
        if scopes.is_within(&self.of(|grant| grant.until_us.is_none())) {
            return None;
        }
        self.0.iter().filter_map(|grant| grant.until_us).min()
    }
}

/// What of `allowed` was not ticked now, but stands from before.
pub fn untouched<'t>(allowed: &ScopeSet, ticked: impl Iterator<Item = &'t str>) -> ScopeSet {
    let ticked = ScopeSet::parse(&ticked.collect::<Vec<_>>().join(" "));
    let is_unasked = |text: &&str| UNASKED.map(Word::name).contains(text);
    let texts = allowed.to_string();
    let rest = texts.split(' ').filter(|text| !is_unasked(text) && !ScopeSet::parse(text).is_within(&ticked));
    ScopeSet::parse(&rest.collect::<Vec<_>>().join(" "))
}

/// What is asked of a person: `scopes`, of which `held` were allowed before.
pub fn offer(client: &Client, scopes: &ScopeSet, before: &Held) -> Offer {
    let held = before.scopes();
    let with_end = |words: String, scopes: &ScopeSet| match before.ends_us(scopes) {
        Some(until_us) => format!("{words}, until {}", words::last_day(until_us)),
        None => words,
    };
    let mut offer = Offer::default();
    for word in Word::ALL.into_iter().filter(|word| scopes.has(*word)) {
        // Which record is asked by itself.
        let Some(text) = words::of_word(word) else { continue };
        match held.has(word) {
            true => offer.held.push(with_end(text.to_owned(), &ScopeSet::parse(word.name()))),
            false => offer.lines.push(line(client, word.name(), text.to_owned(), Vec::new())),
        }
    }
    for scope in scopes.scopes() {
        let value = scope.to_string();
        let text = words::of_scope(scope);
        let alone = ScopeSet::parse(&value);
        match alone.is_within(&held) {
            true => offer.held.push(with_end(text, &alone)),
            false => offer.lines.push(line(client, &value, text, parts(scope))),
        }
    }
    offer
}

fn line(client: &Client, value: &str, words: String, parts: Vec<Part>) -> Line {
    let optional = ScopeSet::parse(&client.optional_scopes);
    // Without a word on what is optional, nothing is said to be needed.
    let is_needed = !optional.is_empty() && !ScopeSet::parse(value).is_within(&optional);
    let reason = reason(client, value);
    Line { value: value.to_owned(), words, reason, is_needed, parts }
}

/// Why the app wants a scope: the reason of it, or of a wider one.
fn reason(client: &Client, value: &str) -> Option<String> {
    let wanted = ScopeSet::parse(value);
    let wider = || client.reasons.iter().find(|(scope, _)| wanted.is_within(&ScopeSet::parse(scope)));
    client.reasons.get(value).or_else(|| wider().map(|(_, why)| why)).cloned()
}

/// Finer choices below a scope: kinds of data below all, categories below a kind.
fn parts(scope: &Scope) -> Vec<Part> {
    if !scope.query.is_empty() || scope.is_v1 {
        return Vec::new();
    }
    let narrower: Vec<Scope> = match scope.types {
        Types::Any => {
            let kinds = words::OFTEN.iter().filter_map(|name| crate::fhir::ResourceType::parse(name).ok());
            kinds.map(|of| Scope { types: Types::One(of), ..scope.clone() }).collect()
        }
        Types::One(of) => {
            let categories = words::CATEGORIES.iter().filter(|category| category.of == of.name());
            categories.filter_map(|category| Scope::parse(&format!("{scope}?{}", category.query()))).collect()
        }
    };
    let part = |scope: &Scope| Part { value: scope.to_string(), words: words::of_scope(scope) };
    narrower.iter().map(part).collect()
}

/// A scope as registrations and grants write it.
pub fn normal(scope: &str) -> String {
    ScopeSet::parse(scope).to_string()
}

/// What scopes mean, in plain words.
pub fn in_words(scopes: &ScopeSet) -> Vec<String> {
    let words = Word::ALL.into_iter().filter(|word| scopes.has(*word)).filter_map(words::of_word).map(str::to_owned);
    words.chain(scopes.scopes().iter().map(words::of_scope)).collect()
}

/// What needs no box: which record it is about is asked by itself.
const UNASKED: [Word; 3] = [Word::Launch, Word::LaunchPatient, Word::LaunchEncounter];

/// `held`, with what needs no box.
pub fn with_unasked(held: &ScopeSet) -> ScopeSet {
    ScopeSet::parse(&format!("{} {held}", UNASKED.map(Word::name).join(" ")))
}

/// What was allowed: what was ticked, as far as it was offered, with what needs no box.
pub fn allowed<'t>(scopes: &ScopeSet, ticked: impl Iterator<Item = &'t str>, held: &ScopeSet) -> ScopeSet {
    let unasked = UNASKED.map(Word::name);
    // A box has what was offered, or less.
    let is_offered = |text: &&str| ScopeSet::parse(text).is_within(scopes);
    let texts: Vec<&str> = ticked.filter(is_offered).chain(unasked).collect();
    let chosen = ScopeSet::parse(&texts.join(" ")).intersection(scopes);
    let before = scopes.intersection(held);
    ScopeSet::parse(&format!("{chosen} {before}"))
}

/// What the app needs and was not given.
pub fn lacking<'o>(offer: &'o Offer, allowed: &ScopeSet) -> Vec<&'o str> {
    // A finer choice in the place of a line meets its need.
    let is_met = |line: &Line| {
        let given = |value: &str| ScopeSet::parse(value).is_within(allowed);
        given(&line.value) || line.parts.iter().any(|part| given(&part.value))
    };
    let lacking = offer.lines.iter().filter(|line| line.is_needed && !is_met(line));
    lacking.map(|line| line.value.as_str()).collect()
}

/// Whether a grant to the app is one that a request for `scopes` with this patient can use.
pub fn serves(grant: &Grant, account: i64, patient: Option<&str>, now_us: i64) -> bool {
    grant.granted_by == Some(account)
        && grant.is_in_force(now_us)
        && grant.patient.as_ref().map(|patient| patient.as_str()) == patient
}

/// Whether scopes are for the record of one patient only, so that a grant for that record is enough.
pub fn is_for_one_record(scopes: &ScopeSet) -> bool {
    scopes.in_context(Context::User).is_empty()
}

/// Whether scopes need a patient to be chosen.
pub fn needs_patient(scopes: &ScopeSet) -> bool {
    scopes.has(Word::LaunchPatient) || !scopes.in_context(Context::Patient).is_empty()
}

/// Whether anything is to be written by these.
pub fn changes_anything(scopes: &ScopeSet) -> bool {
    let writes = [Right::Create, Right::Update, Right::Delete];
    scopes.scopes().iter().any(|scope| writes.iter().any(|right| scope.rights.has(*right)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(offered: &str, ticked: &[&str], held: &str) -> String {
        allowed(&ScopeSet::parse(offered), ticked.iter().copied(), &ScopeSet::parse(held)).to_string()
    }

    #[test]
    fn what_was_not_ticked_is_not_granted() {
        let offered = "launch/patient openid patient/Observation.rs patient/Condition.rs";

        assert_eq!(allow(offered, &["patient/Observation.rs"], ""), "launch/patient patient/Observation.rs");
        assert_eq!(allow(offered, &[], ""), "launch/patient");
        assert_eq!(
            allow(offered, &["patient/Observation.rs?category=laboratory"], ""),
            "launch/patient patient/Observation.rs?category=laboratory"
        );
    }

    #[test]
    fn what_was_not_offered_can_not_be_ticked() {
        let offered = "patient/Observation.rs";

        assert_eq!(allow(offered, &["patient/Observation.cruds", "patient/*.rs", "user/Observation.rs"], ""), "");
        assert_eq!(allow(offered, &["offline_access", "patient/Condition.rs", "<script>"], ""), "");
    }

    #[test]
    fn what_was_allowed_before_needs_no_tick_but_only_as_far_as_it_is_asked_for() {
        assert_eq!(
            allow(
                "patient/Observation.rs patient/Condition.rs",
                &["patient/Condition.rs"],
                "patient/Observation.rs openid"
            ),
            "patient/Condition.rs patient/Observation.rs"
        );
    }
}
