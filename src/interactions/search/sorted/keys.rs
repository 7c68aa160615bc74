//! What resources are sorted by, as they stood when the first page was read.
//!
//! Spec: R4 search.html#sort

use std::collections::{HashMap, HashSet};

use crate::fhir::{Resource, ResourceKey};
use crate::interactions::InteractionError;
use crate::interactions::search::SearchSettings;
use crate::interactions::sight::seen;
use crate::interactions::whole::whole;
use crate::search::{
    AccessFilter, ExtractContext, IndexedValue, Link, Parameter, Place, Registry, ResolvedSearch, Right, SortBy,
    SortKey, SortValue, View, extract, indexed_value, reference_texts, rows_of,
};
use crate::store::{Hasher, IndexRows, Reader, ResourceRow, Standing, StandingContent, StoreError};

/// Known texts and values of targets are forgotten when there are more.
const MOST_KNOWN: usize = 100_000;

/// Reads keys; what was looked up once is known from then on.
pub(super) struct Keys<'a> {
    sort: &'a [SortKey],
    registry: &'a Registry,
    /// What the caller may see: nothing is sorted by what else there is.
    filter: &'a AccessFilter,
    mark: Option<&'a str>,
    settings: &'a SearchSettings,
    /// What hashes of codes stand for, by parameter.
    codes: HashMap<(i16, i64), String>,
    /// What hashes of references stand for.
    references: HashMap<i64, String>,
    /// What the targets of references are sorted by, by key, depth and hash.
    linked: HashMap<(usize, usize, i64), Option<SortValue>>,
}

/// A resource as it stood, ready to be asked.
struct Stood {
    rid: i64,
    key: ResourceKey,
    updated_us: i64,
    rows: IndexRows,
    /// Its version of then, if that is not the current one.
    old: Option<Resource>,
}

/// Which key is read, and how many references away.
#[derive(Clone, Copy)]
struct Level {
    key: usize,
    depth: usize,
    is_descending: bool,
}

impl<'a> Keys<'a> {
    pub(super) fn new(
        request: &'a ResolvedSearch<'_>,
        mark: Option<&'a str>,
        settings: &'a SearchSettings,
    ) -> Keys<'a> {
        let (codes, references, linked) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (sort, registry) = (request.control.sort.keys.as_slice(), &*request.registry);
        let filter = request.filter();
        Keys { sort, registry, filter, mark, settings, codes, references, linked }
    }

    /// The places of `rids` in the order; what was not there at the mark has none.
    pub(super) fn places(&mut self, reader: &mut Reader<'_>, rids: &[i64]) -> Result<Vec<Place>, InteractionError> {
        if self.codes.len() + self.references.len() + self.linked.len() > MOST_KNOWN {
            self.codes.clear();
            self.references.clear();
            self.linked.clear();
        }
        let stood = self.stood(reader, rids)?;
        let mut places: Vec<Place> =
            stood.iter().map(|stood| Place { rid: stood.rid, values: Vec::with_capacity(self.sort.len()) }).collect();
        for (key, SortKey { by, is_descending }) in self.sort.iter().enumerate() {
            let level = Level { key, depth: 0, is_descending: *is_descending };
            for (place, value) in places.iter_mut().zip(self.values(reader, by, level, &stood)?) {
                place.values.push(value);
            }
        }
        Ok(places)
    }

    fn stood(&mut self, reader: &mut Reader<'_>, rids: &[i64]) -> Result<Vec<Stood>, InteractionError> {
        let standing = reader.standing(rids, self.mark)?;
        let hasher = reader.hasher();
        let context = self.context(&hasher);
        let ready = |Standing { rid, key, updated_us, content }: Standing| match content {
            StandingContent::Rows(rows) => Ok(Stood { rid, key, updated_us, rows: *rows, old: None }),
            StandingContent::Version(row) => {
                let resource = parsed(&row)?;
                // What could be stored once can be read again.
                let rows = extract(&resource, &context).map_err(|_| damaged(&row))?;
                Ok(Stood { rid, key, updated_us, rows, old: Some(resource) })
            }
        };
        standing.into_iter().map(ready).collect()
    }

    fn values(
        &mut self,
        reader: &mut Reader<'_>,
        by: &SortBy,
        level: Level,
        stood: &[Stood],
    ) -> Result<Vec<Option<SortValue>>, InteractionError> {
        match by {
            SortBy::Id => {
                let id = |stood: &Stood| Some(SortValue::Text(stood.key.id.as_str().to_owned(), [0, 0]));
                Ok(stood.iter().map(id).collect())
            }
            SortBy::LastUpdated => Ok(stood.iter().map(|stood| Some(SortValue::Instant(stood.updated_us))).collect()),
            SortBy::Index(parameters) => self.indexed(reader, parameters, level, stood),
            SortBy::Linked(link) => self.linked(reader, link, level, stood),
            SortBy::Beginning(beginning) => Ok(stood.iter().map(|stood| beginning.lowest(&stood.rows)).collect()),
        }
    }

    fn indexed(
        &mut self,
        reader: &mut Reader<'_>,
        parameters: &[&'static Parameter],
        level: Level,
        stood: &[Stood],
    ) -> Result<Vec<Option<SortValue>>, InteractionError> {
        let found: Vec<Option<IndexedValue>> =
            stood.iter().map(|stood| indexed_value(parameters, level.is_descending, &stood.rows)).collect();
        self.learn_codes(reader, &found)?;
        self.learn_references(reader, &found)?;
        let unknown: Vec<i64> = found
            .iter()
            .zip(stood)
            .filter(|(found, stood)| stood.old.is_none() && self.is_unknown(found.as_ref()))
            .map(|(_, stood)| stood.rid)
            .collect();
        // References to what is not here are spelled out in the resources alone.
        let bodies = self.bodies(reader, &unknown)?;
        let hasher = reader.hasher();
        let context = self.context(&hasher);
        let value = |(found, stood): (Option<IndexedValue>, &Stood)| match found {
            None => Ok(None),
            Some(IndexedValue::Value(value)) => Ok(Some(value)),
            Some(IndexedValue::Token { param, code, system }) => match self.codes.get(&(param, code)) {
                Some(text) => Ok(Some(SortValue::Text(text.clone(), [code, system]))),
                None => Err(StoreError::Damaged(format!("a token of resource {} has no text", stood.rid))),
            },
            Some(IndexedValue::References(targets)) => {
                let known: Option<Vec<&String>> = targets.iter().map(|target| self.references.get(target)).collect();
                let texts = match (known, stood.old.as_ref().or(bodies.get(&stood.rid))) {
                    (Some(known), _) => known.into_iter().cloned().collect(),
                    (None, Some(resource)) => {
                        parameters.iter().flat_map(|of| reference_texts(resource, of.id(), &context)).collect()
                    }
                    (None, None) => Vec::new(),
                };
                let text = if level.is_descending { texts.into_iter().max() } else { texts.into_iter().min() };
                Ok(text.map(|text| SortValue::Text(text, [0, 0])))
            }
        };
        let values: Result<Vec<_>, StoreError> = found.into_iter().zip(stood).map(value).collect();
        Ok(values?)
    }

    fn is_unknown(&self, found: Option<&IndexedValue>) -> bool {
        match found {
            Some(IndexedValue::References(targets)) => {
                targets.iter().any(|target| !self.references.contains_key(target))
            }
            _ => false,
        }
    }

    fn learn_codes(&mut self, reader: &mut Reader<'_>, found: &[Option<IndexedValue>]) -> Result<(), StoreError> {
        let mut unknown: HashMap<i16, HashSet<i64>> = HashMap::new();
        for value in found.iter().flatten() {
            if let IndexedValue::Token { param, code, .. } = value
                && !self.codes.contains_key(&(*param, *code))
            {
                unknown.entry(*param).or_default().insert(*code);
            }
        }
        for (param, codes) in unknown {
            let codes: Vec<i64> = codes.into_iter().collect();
            let texts = reader.token_texts(param, &codes)?;
            self.codes.extend(texts.into_iter().map(|(text, code)| ((param, code), text)));
        }
        Ok(())
    }

    fn learn_references(&mut self, reader: &mut Reader<'_>, found: &[Option<IndexedValue>]) -> Result<(), StoreError> {
        let mut unknown: HashSet<i64> = HashSet::new();
        for value in found.iter().flatten() {
            if let IndexedValue::References(targets) = value {
                unknown.extend(targets.iter().filter(|target| !self.references.contains_key(target)));
            }
        }
        if !unknown.is_empty() {
            let unknown: Vec<i64> = unknown.into_iter().collect();
            let targets = reader.targets(&unknown)?;
            self.references.extend(targets.into_iter().map(|target| (target.hash, target.key.to_string())));
        }
        Ok(())
    }

    fn bodies(&self, reader: &mut Reader<'_>, rids: &[i64]) -> Result<HashMap<i64, Resource>, InteractionError> {
        if rids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = reader.rows(&rows_of(reader.dialect(), rids))?;
        rows.iter().map(|row| Ok((row.rid, parsed(row)?))).collect()
    }

    fn linked(
        &mut self,
        reader: &mut Reader<'_>,
        link: &Link,
        level: Level,
        stood: &[Stood],
    ) -> Result<Vec<Option<SortValue>>, InteractionError> {
        let targets: Vec<Vec<i64>> = stood
            .iter()
            .map(|stood| match indexed_value(&link.by, level.is_descending, &stood.rows) {
                Some(IndexedValue::References(targets)) => targets,
                _ => Vec::new(),
            })
            .collect();
        let place = |hash: i64| (level.key, level.depth, hash);
        let unknown: HashSet<i64> =
            targets.iter().flatten().copied().filter(|hash| !self.linked.contains_key(&place(*hash))).collect();
        if !unknown.is_empty() {
            let unknown: Vec<i64> = unknown.into_iter().collect();
            let found = reader.targets(&unknown)?;
            let is_wanted = |of: &ResourceKey| link.targets.is_empty() || link.targets.contains(&of.resource_type);
            let hashes: HashMap<i64, i64> = found
                .into_iter()
                .filter(|target| is_wanted(&target.key))
                .map(|target| (target.rid, target.hash))
                .collect();
            let rids: Vec<i64> = hashes.keys().copied().collect();
            let rids = match self.filter.view(&link.targets, Right::Search) {
                View::Everything => rids,
                view => seen(reader, self.filter, &view, &rids)?.into_iter().collect(),
            };
            let stood = self.stood(reader, &rids)?;
            let next = Level { depth: level.depth + 1, ..level };
            let values = self.values(reader, &link.then, next, &stood)?;
            self.linked.extend(unknown.iter().map(|hash| (place(*hash), None)));
            let known = stood.iter().zip(values);
            self.linked.extend(known.filter_map(|(stood, value)| Some((place(*hashes.get(&stood.rid)?), value))));
        }
        let value = |targets: &Vec<i64>| {
            let values = targets.iter().filter_map(|hash| self.linked.get(&place(*hash))?.as_ref());
            let value = match level.is_descending {
                true => values.max_by(|left, right| left.compare(right)),
                false => values.min_by(|left, right| left.compare(right)),
            };
            value.map(SortValue::plain)
        };
        Ok(targets.iter().map(value).collect())
    }

    fn context<'c>(&'c self, hasher: &'c Hasher) -> ExtractContext<'c> {
        let zone_minutes = self.registry.zone_minutes();
        ExtractContext { hasher, bases: &self.settings.bases, zone_minutes, registry: self.registry, places: None }
    }
}

fn parsed(row: &ResourceRow) -> Result<Resource, InteractionError> {
    Ok(Resource::from_value(whole(row)?).map_err(|_| damaged(row))?)
}

fn damaged(row: &ResourceRow) -> StoreError {
    StoreError::Damaged(format!("version {} of resource {}", row.version, row.rid))
}
