//! Checking that a database agrees with itself.
//!
//! What searches look at is made from the resources; here it is made once more and compared: the rows kept beside each
//! resource one by one, the index tables by fingerprints, for they are sorted by value and not by resource. All of it is
//! read from one snapshot, a thousand resources at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::fhir::{ResourceKey, ResourceType};
use crate::interactions::delete::rows_of_deletion;
use crate::interactions::whole::read_back;
use crate::interactions::{Engine, InteractionError};
use crate::search::{ExtractContext, Registry, extract};
use crate::store::{
    Fingerprint, Guard, IndexRows, Method, Reader, ResourceRow, Span, StoredRow, TABLES, Table, WordTexts, container_of,
};

/// So many resources are in memory at once.
const CHUNK: i64 = 1000;
/// The rows of an index table are summed up in so many groups, by the number of their resource.
const BUCKETS: usize = 4096;
/// So many findings are told; the others are counted.
const MOST_FINDINGS: usize = 200;
/// So many resources are named for each index table.
const MOST_NAMED: usize = 20;
/// So many groups of a table that differ are looked at closely.
const MOST_BUCKETS: usize = 16;

/// What was checked, and what was found wrong.
#[derive(Debug, Default)]
pub struct Report {
    /// Resources that are not deleted.
    pub resources: u64,
    pub deleted: u64,
    /// Versions that are not current.
    pub versions: u64,
    /// Rows of the change log.
    pub changes: u64,
    /// Resource types with kept counts.
    pub types: u64,
    /// Rows in each table of the index.
    pub tables: Vec<(&'static str, u64)>,
    /// How much is wrong, told or not.
    pub problems: u64,
    /// In plain words, with type and id, without content.
    pub findings: Vec<String>,
}

impl Report {
    fn wrong(&mut self, finding: String) {
        self.problems += 1;
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }

    /// The report for programs.
    pub fn to_json(&self) -> Value {
        let tables: BTreeMap<_, _> = self.tables.iter().copied().collect();
        json!({
            "resources": self.resources,
            "deleted": self.deleted,
            "versions": self.versions,
            "changes": self.changes,
            "types": self.types,
            "tables": tables,
            "problems": self.problems,
            "findings": self.findings,
        })
    }
}

/// Checks the whole database on one snapshot. The base URL in the settings must be that of the server: it decides what the
/// index says.
pub fn verify(engine: &Engine) -> Result<Report, InteractionError> {
    engine.refresh()?;
    engine.store.read(|reader| {
        let mut check = Check::new(engine);
        check.resources(reader)?;
        check.counts(reader)?;
        check.index(reader)?;
        Ok(check.report)
    })
}

#[derive(Clone, Copy, Default)]
struct Counted {
    current: i64,
    versions: i64,
}

struct Check<'a> {
    engine: &'a Engine,
    registry: Arc<Registry>,
    report: Report,
    counted: BTreeMap<i16, Counted>,
    /// For each table, for each group of resources.
    expected: Vec<Vec<Fingerprint>>,
}

impl<'a> Check<'a> {
    fn new(engine: &'a Engine) -> Check<'a> {
        let expected = vec![vec![Fingerprint::default(); BUCKETS]; TABLES.len()];
        Check { engine, registry: engine.registry(), report: Report::default(), counted: BTreeMap::new(), expected }
    }

    fn resources(&mut self, reader: &mut Reader<'_>) -> Result<(), InteractionError> {
        let mut after = i64::MIN;
        loop {
            let chunk = reader.stored_after(after, CHUNK)?;
            let is_last = (chunk.len() as i64) < CHUNK;
            // Rows that belong to no resource at all are found with the last ones.
            let until = if is_last { i64::MAX } else { chunk.last().map_or(i64::MAX, |row| row.rid) };
            for stored in &chunk {
                self.resource(reader, stored)?;
            }
            let versions = reader.version_spans(after, until)?;
            self.report.versions += total(&versions);
            self.spans(&chunk, &versions, "older versions", |row| row.version - 1);
            let changes = reader.change_spans(after, until)?;
            self.report.changes += total(&changes);
            self.spans(&chunk, &changes, "rows of the change log", |row| row.version);
            let report = &mut self.report;
            reader.each_older(after, until, |rid, version, is_deletion, tail| {
                let problem = match tail {
                    Err(error) => error.to_string(),
                    Ok(tail) if tail.is_none() != is_deletion => "text and method do not go together".to_owned(),
                    Ok(None) => return,
                    Ok(Some(tail)) => match key(&chunk, rid) {
                        Some(key) => match read_back(key, version, 0, &tail) {
                            Ok(_) => return,
                            Err(problem) => problem,
                        },
                        // Told as a version without a resource.
                        None => return,
                    },
                };
                report.wrong(format!("version {version} of {}: {problem}", name(&chunk, rid)));
            })?;
            if is_last {
                return Ok(());
            }
            after = until;
        }
    }

    fn resource(&mut self, reader: &mut Reader<'_>, stored: &StoredRow) -> Result<(), InteractionError> {
        let rid = stored.rid;
        let Some(key) = &stored.key else {
            self.report.wrong(format!("resource number {rid}: type or id are damaged"));
            return Ok(());
        };
        if !stored.is_found_by_key {
            self.report.wrong(format!("{key}: it is not found by its key"));
        }
        let rtype = key.resource_type.code();
        let counted = self.counted.entry(rtype).or_default();
        counted.versions += stored.version;
        if let Some(rows) = &stored.index_rows {
            if stored.labels != rows.labels {
                self.report.wrong(format!("{key}: the labels of its row are not those of its text"));
            }
            let expected = &mut self.expected;
            rows.each_fingerprint(rtype, rid, &mut |table, rows| expected[table as usize][bucket(rid)].add(rows));
        } else {
            self.report.wrong(format!("{key}: the index rows beside it are damaged"));
        }
        let row = match &stored.row {
            Ok(row) => row,
            Err(error) => {
                self.report.wrong(format!("{key}: {error}"));
                return Ok(());
            }
        };
        let wanted = match (&row.tail, row.method == Method::Delete) {
            (None, true) => {
                self.report.deleted += 1;
                self.of_deletion(reader, row)?
            }
            (Some(tail), false) => {
                counted.current += 1;
                self.report.resources += 1;
                match self.extracted(row, tail) {
                    Ok(rows) => rows,
                    Err(problem) => {
                        self.report.wrong(format!("{key}: {problem}"));
                        return Ok(());
                    }
                }
            }
            _ => {
                self.report.wrong(format!("{key}: text and method do not go together"));
                return Ok(());
            }
        };
        if let Some(rows) = &stored.index_rows
            && let Some(kinds) = self.difference(rows, wanted)
        {
            self.report.wrong(format!("{key}: the index rows beside it are not those of its text ({kinds})"));
        }
        Ok(())
    }

    /// What stands beside a deletion. What is wrong with the version before it is told with that.
    fn of_deletion(&self, reader: &mut Reader<'_>, row: &ResourceRow) -> Result<IndexRows, InteractionError> {
        let last = reader.version(&row.key, row.version - 1, &Guard::unbounded("verify"))?;
        let last = last.and_then(|last| {
            read_back(&last.key, last.version, last.updated_us, last.tail.as_deref().unwrap_or_default()).ok()
        });
        Ok(last.map_or_else(IndexRows::default, |last| rows_of_deletion(self.engine, &last)))
    }

    /// Which kinds of rows differ, besides those of own parameters that wait for a reindex or are no longer in force.
    fn difference(&self, rows: &IndexRows, mut wanted: IndexRows) -> Option<String> {
        let mut rows = rows.clone();
        rows.retain(&|number| self.registry.has_all_rows(number));
        wanted.retain(&|number| self.registry.has_all_rows(number));
        (rows != wanted).then(|| differing(&rows, &wanted))
    }

    fn extracted(&self, row: &ResourceRow, tail: &[u8]) -> Result<IndexRows, String> {
        let engine = self.engine;
        let resource = read_back(&row.key, row.version, row.updated_us, tail)?;
        let hasher = engine.store.hasher();
        let zone_minutes = self.registry.zone_minutes();
        let context = ExtractContext {
            hasher: &hasher,
            bases: &engine.bases,
            zone_minutes,
            registry: &self.registry,
            places: None,
        };
        let mut rows = extract(&resource, &context).map_err(|error| error.to_string())?;
        // The database keeps the texts of tokens once, and words in the index alone, not with each resource.
        rows.texts.clear();
        rows.word_texts = WordTexts::default();
        Ok(rows)
    }

    /// Each resource has as many rows as `wanted` says, numbered from 1 without gaps; and no rows are without one.
    fn spans(&mut self, chunk: &[StoredRow], spans: &[Span], what: &str, wanted: impl Fn(&StoredRow) -> i64) {
        let mut spans = spans.iter().peekable();
        for stored in chunk {
            while let Some(span) = spans.next_if(|span| span.rid < stored.rid) {
                self.report.wrong(format!("resource number {} has {what}, but is not there", span.rid));
            }
            let found = spans.next_if(|span| span.rid == stored.rid);
            let wanted = wanted(stored);
            let is_right = match found {
                None => wanted == 0,
                Some(span) => (span.count, span.first, span.last) == (wanted, 1, wanted),
            };
            if !is_right {
                let count = found.map_or(0, |span| span.count);
                let name = name(std::slice::from_ref(stored), stored.rid);
                self.report.wrong(format!("{name}: {count} {what} where {wanted} belong, numbered from 1"));
            }
        }
        for span in spans {
            self.report.wrong(format!("resource number {} has {what}, but is not there", span.rid));
        }
    }

    fn counts(&mut self, reader: &mut Reader<'_>) -> Result<(), InteractionError> {
        let mut kept: BTreeMap<i16, Counted> = BTreeMap::new();
        for count in reader.type_counts()? {
            let counts = Counted { current: count.current, versions: count.versions };
            kept.insert(count.resource_type.code(), counts);
        }
        self.report.types = kept.len() as u64;
        let codes: Vec<i16> = (1..=i16::MAX).take_while(|code| ResourceType::from_code(*code).is_some()).collect();
        for code in codes {
            let kept = kept.get(&code).copied().unwrap_or_default();
            let counted = self.counted.get(&code).copied().unwrap_or_default();
            if (kept.current, kept.versions) != (counted.current, counted.versions) {
                let name = ResourceType::from_code(code).map_or("?", ResourceType::name);
                self.report.wrong(format!(
                    "{name}: the kept counts say {} resources and {} versions, there are {} and {}",
                    kept.current, kept.versions, counted.current, counted.versions
                ));
            }
        }
        Ok(())
    }

    fn index(&mut self, reader: &mut Reader<'_>) -> Result<(), InteractionError> {
        for table in TABLES {
            let mut found = vec![Fingerprint::default(); BUCKETS];
            reader.each_index_row(table, |rid, hash| found[bucket(owner(rid))].add(Fingerprint::of(hash)))?;
            self.report.tables.push((table.name(), found.iter().map(|bucket| bucket.count).sum()));
            let expected = &self.expected[table as usize];
            let differing: Vec<usize> = (0..BUCKETS).filter(|index| found[*index] != expected[*index]).collect();
            if !differing.is_empty() {
                self.tell_table(reader, table, &differing)?;
            }
        }
        Ok(())
    }

    /// Names the resources whose rows in `table` are not those that belong to them.
    fn tell_table(
        &mut self,
        reader: &mut Reader<'_>,
        table: Table,
        differing: &[usize],
    ) -> Result<(), InteractionError> {
        let close = &differing[..differing.len().min(MOST_BUCKETS)];
        let mut by_resource: HashMap<i64, (Fingerprint, Fingerprint)> = HashMap::new();
        reader.each_index_row(table, |rid, hash| {
            let rid = owner(rid);
            if close.contains(&bucket(rid)) {
                by_resource.entry(rid).or_default().0.add(Fingerprint::of(hash));
            }
        })?;
        let mut names = HashMap::new();
        let mut after = i64::MIN;
        loop {
            let chunk = reader.stored_after(after, CHUNK)?;
            let Some(last) = chunk.last() else { break };
            after = last.rid;
            for stored in chunk.iter().filter(|stored| close.contains(&bucket(stored.rid))) {
                let Some(key) = &stored.key else { continue };
                names.insert(stored.rid, key.to_string());
                let Some(rows) = &stored.index_rows else { continue };
                rows.each_fingerprint(key.resource_type.code(), stored.rid, &mut |row_table, rows| {
                    if row_table == table {
                        by_resource.entry(stored.rid).or_default().1.add(rows);
                    }
                });
            }
        }
        let mut wrong: Vec<_> = by_resource.into_iter().filter(|(_, (found, expected))| found != expected).collect();
        wrong.sort_unstable_by_key(|(rid, _)| *rid);
        let table = table.name();
        for (rid, (found, expected)) in wrong.iter().take(MOST_NAMED) {
            let name = names.get(rid).cloned().unwrap_or_else(|| format!("resource number {rid}, which is not there"));
            let (found, expected) = (found.count, expected.count);
            self.report.wrong(if found == expected {
                format!("{table}: {name} has {found} rows, but not those that belong to it")
            } else {
                format!("{table}: {name} has {found} rows, {expected} belong to it")
            });
        }
        if differing.len() > MOST_BUCKETS || wrong.len() > MOST_NAMED {
            self.report.wrong(format!("{table}: more resources than these have other rows than belong to them"));
        }
        Ok(())
    }
}

/// The resource whose text a row of the index comes from: of what is contained, the container.
fn owner(rid: i64) -> i64 {
    container_of(rid).map_or(rid, |(container, _)| container)
}

fn bucket(rid: i64) -> usize {
    rid.rem_euclid(BUCKETS as i64) as usize
}

fn total(spans: &[Span]) -> u64 {
    spans.iter().map(|span| span.count.unsigned_abs()).sum()
}

/// The key of a resource in `chunk`, which is in the order of their numbers.
fn key(chunk: &[StoredRow], rid: i64) -> Option<&ResourceKey> {
    let index = chunk.binary_search_by_key(&rid, |row| row.rid).ok()?;
    chunk[index].key.as_ref()
}

fn name(chunk: &[StoredRow], rid: i64) -> String {
    key(chunk, rid).map_or_else(|| format!("resource number {rid}"), ToString::to_string)
}

fn differing(left: &IndexRows, right: &IndexRows) -> String {
    let kinds = [
        ("tokens", left.tokens != right.tokens),
        ("strings", left.strings != right.strings),
        ("dates", left.dates != right.dates),
        ("quantities", left.quantities != right.quantities),
        ("references", left.references != right.references),
        ("uris", left.uris != right.uris),
        ("positions", left.positions != right.positions),
        ("patients", left.patients != right.patients),
        ("words", left.words != right.words),
        ("labels", left.labels != right.labels),
        ("rules of Consents", left.consents != right.consents),
        ("Patients of what is deleted", left.deleted_from != right.deleted_from),
        ("contained resources", left.contained != right.contained),
    ];
    let kinds: Vec<&str> = kinds.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    kinds.join(", ")
}
