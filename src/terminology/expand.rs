//! Which codes a ValueSet holds.
//!
//! Spec: R4 valueset.html#compositions

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::Value;

use super::budget::Budget;
use super::code_system::Content;
use super::source::split;
use super::{CodeSet, Direction, Extent, LookupError, MAX_CODES, MAX_DEPTH, Source, TerminologyError, filter};

/// Value sets that are the whole of a system by definition, and that system.
///
/// Spec: R4 snomedct.html#implicit, R4 loinc.html#implicit
const IMPLICIT: &[(&str, &str)] =
    &[("http://snomed.info/sct?fhir_vs", "http://snomed.info/sct"), ("http://loinc.org/vs", "http://loinc.org")];

/// URL of a code system, and its version where one is named.
type SystemVersion = (Box<str>, Option<Box<str>>);

/// Answers the questions of one request: whatever they ask, they share the steps that they may take, and no definition is
/// read twice.
pub struct Lookup<'s, S> {
    source: &'s mut S,
    budget: Budget,
    /// Canonicals of the value sets that are being expanded, outermost first.
    under_way: Vec<Box<str>>,
    /// By canonical, so that a value set imported many times is expanded once.
    done: HashMap<Box<str>, Rc<CodeSet>>,
    /// By URL and version.
    systems: HashMap<SystemVersion, Rc<Content>>,
}

impl<'s, S: Source> Lookup<'s, S> {
    /// Takes definitions from `source`.
    pub fn new(source: &'s mut S) -> Self {
        let (under_way, done, systems) = (Vec::new(), HashMap::new(), HashMap::new());
        Lookup { source, budget: Budget::full(), under_way, done, systems }
    }

    /// Where definitions come from.
    pub fn source(&mut self) -> &mut S {
        self.source
    }

    /// The codes of the ValueSet with this canonical URL (`url` or `url|version`).
    ///
    /// Abstract codes belong to it only where it lists them. Whole systems whose codes are not known here stay whole.
    /// `compose.lockedDate` has no effect: the definitions are taken as they are now.
    pub fn value_set(&mut self, canonical: &str) -> Result<Rc<CodeSet>, LookupError<S::Error>> {
        if let Some(set) = self.done.get(canonical) {
            return Ok(set.clone());
        }
        let url = || canonical.to_owned();
        if self.under_way.iter().any(|outer| **outer == *canonical) {
            return Err(TerminologyError::Cycle { url: url() }.into());
        }
        if self.under_way.len() >= MAX_DEPTH {
            return Err(TerminologyError::TooDeep { url: url() }.into());
        }
        let (name, version) = split(canonical);
        let set = if let Some(value_set) = self.source.value_set(name, version).map_err(LookupError::Source)? {
            self.under_way.push(canonical.into());
            let set = self.value_set_at_hand(name, &value_set)?;
            self.under_way.pop();
            set
        } else if let Some((_, system)) = IMPLICIT.iter().find(|(implicit, _)| *implicit == canonical) {
            CodeSet::of(system, Extent::AllBut(BTreeSet::new()))
        } else {
            return Err(TerminologyError::UnknownValueSet { url: url() }.into());
        };
        let set = Rc::new(set);
        self.done.insert(canonical.into(), set.clone());
        Ok(set)
    }

    /// The codes of a ValueSet that is at hand and that errors call `url`; as [`Lookup::value_set`] otherwise.
    pub fn value_set_at_hand(&mut self, url: &str, value_set: &Value) -> Result<CodeSet, LookupError<S::Error>> {
        let Some(compose) = value_set.get("compose") else {
            return Ok(self.expansion(url, &value_set["expansion"])?);
        };
        let active_only = compose["inactive"] == false;
        let included = self.components(url, &compose["include"], active_only)?;
        if compose.get("exclude").is_none() {
            return Ok(included);
        }
        let excluded = self.components(url, &compose["exclude"], false)?;
        let mut set = included;
        set.subtract(&excluded);
        Ok(self.bounded(set)?)
    }

    /// The code itself, then the codes of its system that it subsumes (or that subsume it), nearest first. `system` is the
    /// URL of the CodeSystem, with `|version` if one is meant. Fails when the CodeSystem is not known completely or lacks
    /// the code.
    pub fn subsumed(
        &mut self,
        system: &str,
        code: &str,
        direction: Direction,
    ) -> Result<Vec<Box<str>>, LookupError<S::Error>> {
        let (url, version) = split(system);
        let content = self.content(url, version)?;
        let codes = match &*content {
            Content::Complete(codes) => codes,
            Content::Incomplete { content } => {
                let (url, content) = (url.to_owned(), content.clone());
                return Err(TerminologyError::IncompleteCodeSystem { url, content }.into());
            }
            Content::Absent => return Err(TerminologyError::UnknownCodeSystem { url: url.to_owned() }.into()),
        };
        let places = codes.related(codes.place(code)?, direction, &mut self.budget)?;
        if places.len() > MAX_CODES {
            return Err(TerminologyError::TooManyCodes.into());
        }
        Ok(places.into_iter().map(|place| codes.concepts[place].code.clone()).collect())
    }

    /// Adds the codes of `part` to `set`.
    pub fn unite(&mut self, set: &mut CodeSet, part: &CodeSet) -> Result<(), TerminologyError> {
        // Uniting copies what is there, so that many small parts cost more than their sum.
        self.budget.spend(1 + part.size() + part.systems().map(|(system, _)| set.size_of(system)).sum::<usize>())?;
        set.unite(part);
        if set.size() > MAX_CODES { Err(TerminologyError::TooManyCodes) } else { Ok(()) }
    }

    /// The union of all includes, or of all excludes.
    fn components(
        &mut self,
        url: &str,
        components: &Value,
        active_only: bool,
    ) -> Result<CodeSet, LookupError<S::Error>> {
        let Some(components) = components.as_array() else {
            return Err(invalid(url, "compose.include and compose.exclude are lists").into());
        };
        let mut set = CodeSet::default();
        for component in components {
            let part = self.component(url, component, active_only)?;
            self.unite(&mut set, &part)?;
        }
        Ok(set)
    }

    /// One include or exclude: the codes of its system that are in all of its value sets.
    fn component(&mut self, url: &str, component: &Value, active_only: bool) -> Result<CodeSet, LookupError<S::Error>> {
        let mut set = match component["system"].as_str() {
            Some(system) => Some(self.system(url, system, component, active_only)?),
            None if component.get("concept").or(component.get("filter")).is_some() => {
                return Err(invalid(url, "an include with concepts or filters needs a system (vsd-2)").into());
            }
            None => None,
        };
        for import in component["valueSet"].as_array().into_iter().flatten() {
            let import = import.as_str().ok_or_else(|| invalid(url, "an imported valueSet is a canonical URL"))?;
            let import = self.value_set(import)?;
            self.budget.spend(1 + import.size() + set.as_ref().map_or(0, CodeSet::size))?;
            match &mut set {
                Some(set) => set.intersect(&import),
                None => set = Some((*import).clone()),
            }
        }
        let set = set.ok_or_else(|| invalid(url, "an include needs a system or a valueSet (vsd-1)"))?;
        Ok(self.bounded(set)?)
    }

    /// The codes that an include or exclude takes from its system.
    fn system(
        &mut self,
        url: &str,
        system: &str,
        component: &Value,
        active_only: bool,
    ) -> Result<CodeSet, LookupError<S::Error>> {
        let list = |name: &str| component[name].as_array().filter(|list| !list.is_empty());
        let (listed, filters) = (list("concept"), list("filter"));
        if listed.is_some() && filters.is_some() {
            return Err(invalid(url, "an include has concepts or filters, not both (vsd-3)").into());
        }
        let version = component["version"].as_str();
        if let Some(listed) = listed {
            return self.listed(url, system, version, listed, active_only);
        }
        let content = self.content(system, version)?;
        let codes = match &*content {
            Content::Complete(codes) => codes,
            _ if filters.is_none() && !active_only && version.is_none() => {
                return Ok(CodeSet::of(system, Extent::AllBut(BTreeSet::new())));
            }
            Content::Incomplete { content } => {
                let (url, content) = (system.to_owned(), content.clone());
                return Err(TerminologyError::IncompleteCodeSystem { url, content }.into());
            }
            Content::Absent => {
                let url = system.to_owned();
                return Err(match version {
                    Some(version) => TerminologyError::UnknownVersion { url, version: version.to_owned() },
                    None => TerminologyError::UnknownCodeSystem { url },
                }
                .into());
            }
        };
        let selectable =
            codes.concepts.iter().map(|concept| !(concept.is_abstract || active_only && concept.is_inactive));
        let mut kept: Vec<bool> = selectable.collect();
        self.budget.spend(kept.len())?;
        for filter in filters.into_iter().flatten() {
            filter::apply(system, codes, filter, &mut kept, &mut self.budget)?;
        }
        // A whole system that is too long to list is still a whole system.
        let whole = filters.is_none() && kept.iter().filter(|kept| **kept).count() > MAX_CODES;
        let chosen = codes.concepts.iter().zip(&kept).filter(|(_, kept)| **kept != whole);
        if chosen.clone().count() > MAX_CODES {
            return Err(TerminologyError::TooManyCodes.into());
        }
        let chosen = chosen.map(|(concept, _)| concept.code.clone()).collect();
        Ok(CodeSet::of(system, if whole { Extent::AllBut(chosen) } else { Extent::Only(chosen) }))
    }

    /// The codes that an include names one by one.
    fn listed(
        &mut self,
        url: &str,
        system: &str,
        version: Option<&str>,
        listed: &[Value],
        active_only: bool,
    ) -> Result<CodeSet, LookupError<S::Error>> {
        self.budget.spend(listed.len())?;
        let content = if active_only { Some(self.content(system, version)?) } else { None };
        let mut codes = BTreeSet::new();
        for concept in listed {
            let code = concept["code"].as_str().ok_or_else(|| invalid(url, "every listed concept needs a code"))?;
            let known = match content.as_deref() {
                Some(Content::Complete(codes)) => codes.concept(code),
                _ => None,
            };
            if !known.is_some_and(|concept| concept.is_inactive) {
                codes.insert(code.into());
            }
        }
        Ok(self.bounded(CodeSet::of(system, Extent::Only(codes)))?)
    }

    fn content(&mut self, system: &str, version: Option<&str>) -> Result<Rc<Content>, LookupError<S::Error>> {
        let key = (Box::from(system), version.map(Box::from));
        if let Some(content) = self.systems.get(&key) {
            return Ok(content.clone());
        }
        let content = Rc::new(Content::load(system, version, self.source, &mut self.budget)?);
        self.systems.insert(key, content.clone());
        Ok(content)
    }

    /// The codes that an expansion lists, nested ones too; abstract ones are there for display only.
    fn expansion(&mut self, url: &str, expansion: &Value) -> Result<CodeSet, TerminologyError> {
        if expansion.is_null() {
            return Err(invalid(url, "it needs a compose or an expansion"));
        }
        let mut pairs: HashMap<&str, BTreeSet<Box<str>>> = HashMap::new();
        let mut entries: Vec<&Value> = expansion["contains"].as_array().into_iter().flatten().collect();
        let mut count = 0u64;
        while let Some(entry) = entries.pop() {
            self.budget.spend(1)?;
            count += 1;
            entries.extend(entry["contains"].as_array().into_iter().flatten());
            let Some(code) = entry["code"].as_str() else { continue };
            let system =
                entry["system"].as_str().ok_or_else(|| invalid(url, "a code in an expansion needs a system"))?;
            if entry["abstract"] != true {
                pairs.entry(system).or_default().insert(code.into());
            }
        }
        let is_later_page = expansion["offset"].as_u64().is_some_and(|offset| offset > 0);
        if is_later_page || expansion["total"].as_u64().is_some_and(|total| total > count) {
            return Err(TerminologyError::PartialExpansion { url: url.to_owned() });
        }
        let mut set = CodeSet::default();
        for (system, codes) in pairs {
            set.unite(&CodeSet::of(system, Extent::Only(codes)));
        }
        self.bounded(set)
    }

    fn bounded(&self, set: CodeSet) -> Result<CodeSet, TerminologyError> {
        if set.size() > MAX_CODES { Err(TerminologyError::TooManyCodes) } else { Ok(set) }
    }
}

fn invalid(url: &str, problem: &'static str) -> TerminologyError {
    TerminologyError::Invalid { url: url.to_owned(), problem }
}
