//! SMART scopes: what they say, how they are written, and what two sets of them have in common.
//!
//! Nothing here ever widens: what can't be understood is dropped and told of.
//!
//! Spec: SMART App Launch 2.2 scopes-and-launch-context.html, and 1.0 for the forms `.read`, `.write` and `.*`

use std::collections::HashMap;
use std::fmt;

use crate::fhir::ResourceType;
use crate::search::{Right, Rights, parse_query_string};

/// More scopes than this in one text are dropped. One for each type in each context is fewer.
const MOST_SCOPES: usize = 512;

/// In whose name a scope is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// What belongs to the patient of the launch.
    Patient,
    /// What the person who signed in may reach.
    User,
    /// What a client may reach on its own.
    System,
}

/// Which types a scope is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Types {
    /// `*`: all of today and of later.
    Any,
    One(ResourceType),
}

/// The search to which a granular scope is limited; empty when there is no limit.
#[derive(Clone, Debug, Default)]
pub struct ScopeQuery {
    /// Decoded, and sorted: all must hold, in whatever order they came.
    pairs: Vec<(String, String)>,
    /// As it came.
    written: String,
}

/// One scope that is about resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub context: Context,
    pub types: Types,
    pub rights: Rights,
    pub query: ScopeQuery,
    /// It came in the form of SMART 1.0, and goes back in that.
    pub is_v1: bool,
}

/// A scope that is not about resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    OpenId,
    FhirUser,
    Launch,
    LaunchPatient,
    LaunchEncounter,
    OfflineAccess,
    OnlineAccess,
}

/// The scopes of a token, of a grant, or of a client.
#[derive(Clone, Debug, Default)]
pub struct ScopeSet {
    words: Vec<Word>,
    scopes: Vec<Scope>,
    dropped: Vec<String>,
}

impl Context {
    pub const ALL: [Context; 3] = [Context::Patient, Context::User, Context::System];

    pub fn name(self) -> &'static str {
        match self {
            Context::Patient => "patient",
            Context::User => "user",
            Context::System => "system",
        }
    }
}

impl Types {
    /// The one type that these are; `None` for all.
    pub fn only(self) -> Option<ResourceType> {
        match self {
            Types::Any => None,
            Types::One(only) => Some(only),
        }
    }

    fn parse(text: &str) -> Option<Types> {
        if text == "*" { Some(Types::Any) } else { ResourceType::parse(text).ok().map(Types::One) }
    }

    /// Whether these are all that `other` is about, or fewer.
    fn is_within(self, other: Types) -> bool {
        other == Types::Any || self == other
    }

    /// The types that are in both.
    pub fn intersection(self, other: Types) -> Option<Types> {
        if self.is_within(other) { Some(self) } else { other.is_within(self).then_some(other) }
    }
}

/// The words of SMART 1.0 for what may be done.
const V1_WORDS: [(&str, Rights); 3] = [
    ("read", Rights::of(&[Right::Read, Right::Search])),
    ("write", Rights::of(&[Right::Create, Right::Update, Right::Delete])),
    ("*", Rights::ALL),
];

impl ScopeQuery {
    /// Reads what stands behind the `?`; `None` unless each part has a name and a value.
    fn parse(text: &str) -> Option<ScopeQuery> {
        let is_pair =
            |part: &str| part.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
        if !text.split('&').all(is_pair) {
            return None;
        }
        let mut pairs = parse_query_string(text).ok()?;
        pairs.sort();
        pairs.dedup();
        Some(ScopeQuery { pairs, written: text.to_owned() })
    }

    /// Both, of which each limits.
    fn and(&self, other: &ScopeQuery) -> ScopeQuery {
        let mut pairs = [self.pairs.as_slice(), &other.pairs].concat();
        pairs.sort();
        pairs.dedup();
        ScopeQuery { pairs, written: format!("{}&{}", self.written, other.written) }
    }

    /// Parameters and values as a search takes them, decoded; all of them limit.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// There is no limit.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Whether what this lets through is known to be let through by `other`, too.
    fn is_within(&self, other: &ScopeQuery) -> bool {
        other.is_empty() || self == other
    }
}

/// Two are equal when they ask for the same, however it is written.
impl PartialEq for ScopeQuery {
    fn eq(&self, other: &ScopeQuery) -> bool {
        self.pairs == other.pairs
    }
}

impl Eq for ScopeQuery {}

impl Scope {
    /// Reads one scope about resources, such as `patient/Observation.rs?category=laboratory`.
    pub fn parse(text: &str) -> Option<Scope> {
        let (context, rest) = text.split_once('/')?;
        let context = Context::ALL.into_iter().find(|known| known.name() == context)?;
        let (head, query) = match rest.split_once('?') {
            Some((head, query)) => (head, Some(query)),
            None => (rest, None),
        };
        let (types, letters) = head.split_once('.')?;
        let types = Types::parse(types)?;
        if let Some((_, rights)) = V1_WORDS.into_iter().find(|(word, _)| *word == letters) {
            // SMART 1.0 has no granular scopes.
            let scope = Scope { context, types, rights, query: ScopeQuery::default(), is_v1: true };
            return query.is_none().then_some(scope);
        }
        let query = match query {
            Some(query) => ScopeQuery::parse(query)?,
            None => ScopeQuery::default(),
        };
        Some(Scope { context, types, rights: Rights::parse(letters)?, query, is_v1: false })
    }

    /// What both let be done, in the form of this one. Of two queries that differ nothing is kept: which of the two lets
    /// through less can't be told from their texts.
    fn intersection(&self, other: &Scope) -> Option<Scope> {
        let query = if self.query.is_within(&other.query) {
            &self.query
        } else if other.query.is_within(&self.query) {
            &other.query
        } else {
            return None;
        };
        let rights = self.rights.intersection(other.rights);
        if self.context != other.context || rights.is_empty() {
            return None;
        }
        let types = self.types.intersection(other.types)?;
        // A limit has no form in SMART 1.0.
        let is_v1 = self.is_v1 && query.is_empty();
        Some(Scope { context: self.context, types, rights, query: query.clone(), is_v1 })
    }

    /// As the intersection, but that two queries that differ must both hold.
    fn narrowed(&self, other: &Scope) -> Option<Scope> {
        self.intersection(other).or_else(|| {
            let without = |scope: &Scope| Scope { query: ScopeQuery::default(), ..scope.clone() };
            let both = without(self).intersection(&without(other))?;
            Some(Scope { query: self.query.and(&other.query), is_v1: false, ..both })
        })
    }

    /// Whether all resources of this scope, for any one right, are those of `other`.
    fn reaches_within(&self, other: &Scope) -> bool {
        self.context == other.context && self.types.is_within(other.types) && self.query.is_within(&other.query)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = match self.types {
            Types::Any => "*",
            Types::One(resource_type) => resource_type.name(),
        };
        write!(formatter, "{}/{types}.", self.context.name())?;
        let v1_word = V1_WORDS.into_iter().find(|(_, rights)| self.is_v1 && *rights == self.rights);
        match v1_word {
            Some((word, _)) => formatter.write_str(word)?,
            None => write!(formatter, "{}", self.rights)?,
        }
        if self.query.is_empty() { Ok(()) } else { write!(formatter, "?{}", self.query.written) }
    }
}

impl Word {
    pub const ALL: [Word; 7] = [
        Word::OpenId,
        Word::FhirUser,
        Word::Launch,
        Word::LaunchPatient,
        Word::LaunchEncounter,
        Word::OfflineAccess,
        Word::OnlineAccess,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Word::OpenId => "openid",
            Word::FhirUser => "fhirUser",
            Word::Launch => "launch",
            Word::LaunchPatient => "launch/patient",
            Word::LaunchEncounter => "launch/encounter",
            Word::OfflineAccess => "offline_access",
            Word::OnlineAccess => "online_access",
        }
    }
}

impl ScopeSet {
    /// Reads scopes with spaces between them; see `dropped` for what is not understood.
    pub fn parse(text: &str) -> ScopeSet {
        let mut set = ScopeSet::default();
        for text in text.split_ascii_whitespace() {
            let is_full = set.words.len() + set.scopes.len() >= MOST_SCOPES;
            if let Some(word) = Word::ALL.into_iter().find(|word| word.name() == text).filter(|_| !is_full) {
                if !set.words.contains(&word) {
                    set.words.push(word);
                }
            } else if let Some(scope) = Scope::parse(text).filter(|_| !is_full) {
                if !set.scopes.contains(&scope) {
                    set.scopes.push(scope);
                }
            } else {
                set.dropped.push(text.to_owned());
            }
        }
        set
    }

    /// What `parse` did not understand, as it came, and what was too much.
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }

    /// The scopes about resources, each once, in the order in which they came.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    pub fn has(&self, word: Word) -> bool {
        self.words.contains(&word)
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.scopes.is_empty()
    }

    /// Whether each of these lets nothing be done that `other` does not.
    ///
    /// It errs on the side of no: `*` is not within a list of all types, and a query is within the same query or none.
    pub fn is_within(&self, other: &ScopeSet) -> bool {
        let held = |scope: &Scope| {
            let holding = other.scopes.iter().filter(|held| scope.reaches_within(held));
            let together = holding.fold(Rights::default(), |sum, held| sum.union(held.rights));
            scope.rights.is_within(together)
        };
        self.words.iter().all(|word| other.has(*word)) && self.scopes.iter().all(held)
    }

    /// What both let be done, in the form and order of this set; it is within both.
    pub fn intersection(&self, other: &ScopeSet) -> ScopeSet {
        let words = self.words.iter().filter(|word| other.has(**word)).copied().collect();
        let scopes = self.scopes.iter().flat_map(|scope| parts(scope, &other.scopes, Scope::intersection));
        ScopeSet { words, scopes: each_once(scopes), dropped: Vec::new() }
    }

    /// What these let be done where no more than `given` may be, in their form and order; all words stay. Where both limit by a
    /// search, both must hold, as in what a token and a grant let be done together.
    pub fn narrowed(&self, given: &[Scope]) -> ScopeSet {
        let scopes = self.scopes.iter().flat_map(|scope| parts(scope, given, Scope::narrowed));
        ScopeSet { words: self.words.clone(), scopes: each_once(scopes), dropped: Vec::new() }
    }

    /// All but the scopes of one context.
    pub fn without(&self, context: Context) -> ScopeSet {
        let scopes = self.scopes.iter().filter(|scope| scope.context != context).cloned().collect();
        ScopeSet { words: self.words.clone(), scopes, dropped: Vec::new() }
    }

    /// The scopes of one context, without words.
    pub fn in_context(&self, context: Context) -> ScopeSet {
        let scopes = self.scopes.iter().filter(|scope| scope.context == context).cloned().collect();
        ScopeSet { scopes, ..ScopeSet::default() }
    }
}

fn each_once(scopes: impl Iterator<Item = Scope>) -> Vec<Scope> {
    scopes.fold(Vec::new(), |mut all, scope| {
        if !all.contains(&scope) {
            all.push(scope);
        }
        all
    })
}

/// What is left of `scope` by what is `held`, as `both` says it of two: one part for each type and query, and none that another
/// part says already.
fn parts(scope: &Scope, held: &[Scope], both: impl Fn(&Scope, &Scope) -> Option<Scope>) -> Vec<Scope> {
    let mut parts: Vec<Scope> = Vec::new();
    let mut places: HashMap<(Types, Vec<(String, String)>), usize> = HashMap::new();
    for part in held.iter().filter_map(|held| both(scope, held)) {
        match places.get(&(part.types, part.query.pairs.clone())) {
            Some(place) => parts[*place].rights = parts[*place].rights.union(part.rights),
            None => {
                places.insert((part.types, part.query.pairs.clone()), parts.len());
                parts.push(part);
            }
        }
    }
    let is_said = |part: &Scope| {
        let mut others = parts.iter().filter(|other| *other != part);
        others.any(|other| part.reaches_within(other) && part.rights.is_within(other.rights))
    };
    parts.iter().filter(|part| !is_said(part)).cloned().collect()
}

/// As a token answer says them: words first.
impl fmt::Display for ScopeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.iter().map(|word| word.name().to_owned());
        let texts: Vec<String> = words.chain(self.scopes.iter().map(Scope::to_string)).collect();
        formatter.write_str(&texts.join(" "))
    }
}

#[cfg(test)]
mod tests;
