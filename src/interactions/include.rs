//! What a page brings along besides its matches: `_include` and `_revinclude`.
//!
//! Level by level, a few statements each, whatever the number of resources; a resource comes once. A reference to a
//! version brings the current one. A canonical URL is not in the index as the key of a resource, so it is read from the
//! resource and looked up by its text.
//!
//! Spec: R4 search.html#include, #revinclude, references.html#canonical

use std::collections::BTreeSet;

use serde_json::Value;

use crate::fhir::{Issue, IssueCode, ResourceType, Severity};
use crate::interactions::InteractionError;
use crate::interactions::sight::guard_of;
use crate::interactions::whole::whole;
use crate::search::{
    Direction, Include, Parameter, ParameterKind, Registry, ResolvedSearch, Right, called, referred, referring,
};
use crate::store::{Guard, Hasher, Query, Reader, ResourceRow};

/// The most resources that are included with one page.
const MOST_INCLUDED: usize = 2_000;

/// How far from a match `:iterate` follows references.
const MOST_LEVELS: usize = 5;

/// The most canonical URLs that are looked up at once.
const MOST_URLS: usize = 8_000;

/// What is included with a page.
#[derive(Debug, Default)]
pub(super) struct Included {
    pub(super) rows: Vec<ResourceRow>,
    /// Says so when not all that was asked for is there.
    pub(super) remark: Option<Issue>,
}

/// Finds what `includes` ask for besides `matches`.
pub(super) fn included(
    reader: &mut Reader<'_>,
    request: &ResolvedSearch<'_>,
    matches: &[ResourceRow],
) -> Result<Included, InteractionError> {
    let includes = request.includes.as_slice();
    if includes.is_empty() {
        return Ok(Included::default());
    }
    let (hasher, registry) = (reader.hasher(), &*request.registry);
    let known: Vec<i64> = matches.iter().map(|row| row.rid).collect();
    let guard = guard_of(reader, request.filter(), &[], Right::Search);
    let mut search = IncludeSearch { reader, registry, hasher, guard, known, room: MOST_INCLUDED, is_cut: false };
    let mut rows: Vec<ResourceRow> = Vec::new();
    let mut begin = 0;
    let mut steps = steps(includes.iter());
    for level in 0..=MOST_LEVELS {
        let from = if level == 0 { matches } else { &rows[begin..] };
        if from.is_empty() || steps.is_empty() || search.is_cut {
            break;
        }
        if level == MOST_LEVELS {
            // Only to see whether there is more.
            search.room = 0;
        }
        let found = search.level(&steps, from)?;
        begin = rows.len();
        rows.extend(found);
        if level == 0 {
            steps = self::steps(includes.iter().filter(|include| include.is_iterated));
        }
    }
    let remark = search.is_cut.then(|| Issue {
        severity: Severity::Warning,
        code: IssueCode::TooCostly,
        expression: None,
        text: format!(
            "not everything that was to be included is here: a page includes at most {MOST_INCLUDED} resources, at most \
             {MOST_LEVELS} references away from a match; ask for smaller pages with _count, or for fewer includes"
        ),
    });
    Ok(Included { rows, remark })
}

/// References that are followed by one statement.
struct Step {
    direction: Direction,
    /// The types that hold the references; empty when any may.
    sources: Vec<ResourceType>,
    /// Empty when all are followed.
    parameters: Vec<&'static Parameter>,
    target: Option<ResourceType>,
}

/// Puts together what can be followed at once.
fn steps<'a>(includes: impl Iterator<Item = &'a Include>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for include in includes {
        let is_open = include.source.is_none();
        let is_alike = |step: &&mut Step| {
            step.direction == include.direction && step.target == include.target && step.sources.is_empty() == is_open
        };
        let step = match steps.iter_mut().find(is_alike) {
            Some(step) => step,
            None => steps.push_mut(Step {
                direction: include.direction,
                sources: Vec::new(),
                parameters: Vec::new(),
                target: include.target,
            }),
        };
        step.sources.extend(include.source);
        step.parameters.extend(&include.parameters);
    }
    steps
}

impl Step {
    fn is_from(&self, resource_type: ResourceType) -> bool {
        self.sources.is_empty() || self.sources.contains(&resource_type)
    }

    fn is_to(&self, resource_type: ResourceType) -> bool {
        self.target.is_none_or(|target| target == resource_type)
            && (self.parameters.is_empty()
                || self.parameters.iter().any(|parameter| parameter.points_to(resource_type)))
    }

    /// The parameters of this step by which a resource of this type may refer to canonical URLs.
    fn canonical_parameters(&self, registry: &Registry, source: ResourceType) -> Vec<&'static Parameter> {
        let of_type = registry.references(source).into_iter();
        let is_followed = |parameter: &&Parameter| {
            self.parameters.is_empty() || self.parameters.iter().any(|followed| followed.id() == parameter.id())
        };
        let leads = |parameter: &&Parameter| self.target.is_none_or(|target| parameter.points_to(target));
        of_type.filter(|parameter| parameter.has_canonicals()).filter(is_followed).filter(leads).collect()
    }
}

/// The search for included resources under way.
struct IncludeSearch<'r, 'c> {
    reader: &'r mut Reader<'c>,
    registry: &'r Registry,
    hasher: Hasher,
    /// What may be included.
    guard: Guard,
    /// The numbers of all resources that are there.
    known: Vec<i64>,
    /// How many more may be included.
    room: usize,
    /// Whether there were more.
    is_cut: bool,
}

impl IncludeSearch<'_, '_> {
    /// What is new one reference away from `from`, in the order of creation.
    fn level(&mut self, steps: &[Step], from: &[ResourceRow]) -> Result<Vec<ResourceRow>, InteractionError> {
        let mut found = Vec::new();
        for step in steps {
            match step.direction {
                Direction::Forward => {
                    self.referred(step, from, &mut found)?;
                    self.called(step, from, &mut found)?;
                }
                Direction::Reverse => {
                    self.referring(step, from, &mut found)?;
                    self.calling(step, from, &mut found)?;
                }
            }
        }
        found.sort_unstable_by_key(|row| row.rid);
        Ok(found)
    }

    /// Forward, by type and id.
    fn referred(
        &mut self,
        step: &Step,
        from: &[ResourceRow],
        found: &mut Vec<ResourceRow>,
    ) -> Result<(), InteractionError> {
        let sources = from.iter().filter(|row| step.is_from(row.key.resource_type));
        let rids: Vec<i64> = sources.map(|row| row.rid).collect();
        if rids.is_empty() {
            return Ok(());
        }
        let rows = self
            .fetch(|known, limit, guard| referred(&rids, &ids(&step.parameters), step.target, known, limit, guard))?;
        self.take(rows, found);
        Ok(())
    }

    /// Forward, by canonical URL.
    fn called(
        &mut self,
        step: &Step,
        from: &[ResourceRow],
        found: &mut Vec<ResourceRow>,
    ) -> Result<(), InteractionError> {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        let mut targets: BTreeSet<ResourceType> = BTreeSet::new();
        for row in from.iter().filter(|row| step.is_from(row.key.resource_type)) {
            let parameters = step.canonical_parameters(self.registry, row.key.resource_type);
            if parameters.is_empty() {
                continue;
            }
            let resource = whole(row)?;
            for parameter in parameters {
                wanted.extend(parameter.canonicals(&resource).into_iter().map(str::to_owned));
                targets.extend(ResourceType::all().filter(|of| step.is_to(*of) && parameter.points_to(*of)));
            }
        }
        let urls: BTreeSet<&str> = wanted.iter().map(|canonical| without_version(canonical)).collect();
        let mut urls: Vec<&str> = urls.into_iter().filter(|url| !url.is_empty() && !url.starts_with('#')).collect();
        let names: Vec<i16> = targets.iter().filter_map(|target| url_parameter(*target)).collect();
        if urls.is_empty() || names.is_empty() {
            return Ok(());
        }
        self.is_cut |= urls.len() > MOST_URLS;
        urls.truncate(MOST_URLS);
        let rows = self.fetch(|known, limit, guard| called(&urls, &names, known, limit, guard))?;
        let is_wanted = |resource: &Value| names_of(resource).iter().any(|name| wanted.contains(name));
        self.take(kept(rows, is_wanted)?, found);
        Ok(())
    }

    /// Reverse, by type and id.
    fn referring(
        &mut self,
        step: &Step,
        from: &[ResourceRow],
        found: &mut Vec<ResourceRow>,
    ) -> Result<(), InteractionError> {
        let targets = from.iter().filter(|row| step.is_to(row.key.resource_type));
        let keys: Vec<i64> = targets.map(|row| self.hasher.key(&row.key)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let mut rows =
            self.fetch(|known, limit, guard| referring(&keys, &ids(&step.parameters), known, limit, guard))?;
        // The number of an own parameter may stand for several types.
        rows.retain(|row| step.is_from(row.key.resource_type));
        self.take(rows, found);
        Ok(())
    }

    /// Reverse, by canonical URL.
    fn calling(
        &mut self,
        step: &Step,
        from: &[ResourceRow],
        found: &mut Vec<ResourceRow>,
    ) -> Result<(), InteractionError> {
        let parameters: Vec<&'static Parameter> =
            step.parameters.iter().copied().filter(|parameter| parameter.has_canonicals()).collect();
        let mut names: BTreeSet<String> = BTreeSet::new();
        for row in from {
            let of = row.key.resource_type;
            let is_target = step.target.is_none_or(|target| target == of)
                && parameters.iter().any(|parameter| parameter.points_to(of));
            if is_target && url_parameter(of).is_some() {
                names.extend(names_of(&whole(row)?));
            }
        }
        // The index has a reference to `url|version` under the bare URL, too.
        let urls = names.iter().filter(|name| !name.contains('|'));
        let targets: Vec<i64> = urls.map(|url| self.hasher.text(url)).collect();
        if targets.is_empty() {
            return Ok(());
        }
        let rows = self.fetch(|known, limit, guard| referring(&targets, &ids(&parameters), known, limit, guard))?;
        let is_wanted = |resource: &Value| {
            parameters.iter().any(|parameter| parameter.canonicals(resource).into_iter().any(|url| names.contains(url)))
        };
        self.take(kept(rows, is_wanted)?, found);
        Ok(())
    }

    /// What the statement finds besides `known`. One row more than there is room for tells that not all came.
    fn fetch(&mut self, query: impl Fn(&[i64], usize, &Guard) -> Query) -> Result<Vec<ResourceRow>, InteractionError> {
        let limit = self.room + 1;
        let rows = self.reader.rows(&query(&self.known, limit, &self.guard))?;
        self.is_cut |= rows.len() == limit;
        Ok(rows)
    }

    fn take(&mut self, mut rows: Vec<ResourceRow>, found: &mut Vec<ResourceRow>) {
        rows.truncate(self.room);
        self.room -= rows.len();
        self.known.extend(rows.iter().map(|row| row.rid));
        found.extend(rows);
    }
}

fn ids(parameters: &[&Parameter]) -> Vec<i16> {
    parameters.iter().map(|parameter| parameter.id()).collect()
}

/// The parameter that finds resources of this type by their canonical URL.
fn url_parameter(resource_type: ResourceType) -> Option<i16> {
    let parameter = Registry::bundled().parameter(resource_type, "url")?;
    (parameter.kind == ParameterKind::Uri).then(|| parameter.id())
}

/// What a canonical reference to `resource` may say: its URL, and that with its version.
fn names_of(resource: &Value) -> Vec<String> {
    let text = |name: &str| resource.get(name).and_then(Value::as_str);
    match (text("url"), text("version")) {
        (Some(url), Some(version)) => vec![url.to_owned(), format!("{url}|{version}")],
        (Some(url), None) => vec![url.to_owned()],
        (None, _) => Vec::new(),
    }
}

/// The rows whose resource is wanted.
fn kept(rows: Vec<ResourceRow>, is_wanted: impl Fn(&Value) -> bool) -> Result<Vec<ResourceRow>, InteractionError> {
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        if is_wanted(&whole(&row)?) {
            kept.push(row);
        }
    }
    Ok(kept)
}

fn without_version(canonical: &str) -> &str {
    canonical.split_once('|').map_or(canonical, |(url, _)| url)
}
