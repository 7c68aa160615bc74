//! Bundles that the server answers with, written from stored bytes without parsing a resource.
//!
//! Spec: R4 bundle.html, search.html#return, http.html#transaction-response

use serde_json::Value;

use crate::fhir::{ResourceKey, format_instant, json, outcome};
use crate::http::links::{query_url, resource_url, version_url};
use crate::http::outcome::{Refusal, interaction};
use crate::http::prefer::Return;
use crate::http::response::{told, write_resource};
use crate::http::subset::Subset;
use crate::interactions::bundle::{BundleAnswer, BundleKind, EntryAnswer};
use crate::interactions::{Answer, Effect, HistoryPage, SearchPage};
use crate::search::SearchRequest;
use crate::store::{Method, ResourceRow};

/// The query parameter that says where a page begins.
pub const CURSOR: &str = "_cursor";

/// A searchset. `shape` is what of the query concerns the form of the answer and goes on to the next page.
pub fn searchset(base: &str, request: &SearchRequest, page: &SearchPage, shape: &[(String, String)]) -> Vec<u8> {
    let mut used = request.used.clone();
    used.extend_from_slice(shape);
    let mut writer = Writer::new("searchset", page.rows.len() + page.included.len());
    writer.total(page.total);
    writer.links(
        base,
        &request.path(),
        &used,
        request.control.cursor.as_deref(),
        page.previous.as_deref(),
        page.next.as_deref(),
    );
    let subset = Subset::of_search(&request.control);
    for row in &page.rows {
        match page.contained.get(&row.rid) {
            None => writer.found(base, row, &subset, "match"),
            Some(resource) => writer.found_within(base, row, resource.clone(), &subset),
        }
    }
    let subset = subset.of_included();
    for row in &page.included {
        writer.found(base, row, &subset, "include");
    }
    let remarks = [request.ignored.as_slice(), &page.remarks].concat();
    if !remarks.is_empty() {
        writer.entry();
        writer.text("\"resource\":");
        json::write(&outcome(&remarks), &mut writer.out);
        writer.text(",\"search\":{\"mode\":\"outcome\"}}");
    }
    writer.finish()
}

/// What a history was asked for, as its links say it again.
#[derive(Debug, Default)]
pub struct HistoryLinks {
    /// `[type]/[id]/_history`, `[type]/_history` or `_history`.
    pub path: String,
    pub used: Vec<(String, String)>,
    /// Where this page begins; `None` on the first one.
    pub cursor: Option<String>,
}

/// A history.
pub fn history(base: &str, links: &HistoryLinks, page: &HistoryPage, subset: &Subset) -> Vec<u8> {
    let mut writer = Writer::new("history", page.rows.len());
    writer.total(page.total);
    writer.links(base, &links.path, &links.used, links.cursor.as_deref(), None, page.next.as_deref());
    for version in &page.rows {
        let row = &version.row;
        writer.entry();
        writer.full_url(base, &row.key);
        if row.method != Method::Delete {
            writer.text(",\"resource\":");
            write_resource(row, subset, &mut writer.out);
        }
        let (method, status) = match row.method {
            Method::Create => ("POST", "201 Created"),
            Method::Update if row.version == 1 => ("PUT", "201 Created"),
            Method::Update => ("PUT", "200 OK"),
            Method::Delete => ("DELETE", "204 No Content"),
        };
        writer.text(",\"request\":{\"method\":\"");
        writer.text(method);
        writer.text("\",\"url\":\"");
        writer.text(row.key.resource_type.name());
        if row.method != Method::Create {
            writer.text("/");
            writer.text(row.key.id.as_str());
        }
        writer.text("\"},\"response\":{\"status\":\"");
        writer.text(status);
        writer.text("\"");
        writer.version(row);
        writer.text("}}");
    }
    writer.finish()
}

/// The answer to a batch or transaction. Unless the client asks for them, resources that it sent are not sent back.
pub fn response(base: &str, answer: &BundleAnswer, returned: Option<Return>) -> Vec<u8> {
    let kind = match answer.kind {
        BundleKind::Batch => "batch-response",
        BundleKind::Transaction => "transaction-response",
    };
    let mut writer = Writer::new(kind, answer.entries.len());
    for entry in &answer.entries {
        writer.entry();
        match entry {
            EntryAnswer::Written(answer) => written(&mut writer, base, answer, returned),
            EntryAnswer::Deleted(answers) => deleted(&mut writer, answers),
            EntryAnswer::Read(row) => {
                writer.full_url(base, &row.key);
                writer.text(",\"resource\":");
                write_resource(row, &Subset::Whole, &mut writer.out);
                writer.text(",\"response\":{\"status\":\"200 OK\"");
                writer.version(row);
                writer.text("}");
            }
            EntryAnswer::NotModified(row) => {
                writer.text("\"response\":{\"status\":\"304 Not Modified\"");
                writer.version(row);
                writer.text("}");
            }
            EntryAnswer::Searched { request, page } => {
                writer.text("\"resource\":");
                writer.out.extend_from_slice(&searchset(base, request, page, &[]));
                writer.text(",\"response\":{\"status\":\"200 OK\"}");
            }
            EntryAnswer::History { url, page } => {
                let (path, query) = url.split_once('?').unwrap_or((url, ""));
                let used = crate::search::parse_query_string(query).unwrap_or_default();
                let links = HistoryLinks { path: path.trim_start_matches('/').to_owned(), used, cursor: None };
                writer.text("\"resource\":");
                writer.out.extend_from_slice(&history(base, &links, page, &Subset::Whole));
                writer.text(",\"response\":{\"status\":\"200 OK\"}");
            }
            EntryAnswer::Failed(error) => failed(&mut writer, &interaction(error)),
        }
        writer.text("}");
    }
    writer.finish()
}

fn written(writer: &mut Writer, base: &str, answer: &Answer, returned: Option<Return>) {
    let Some(row) = &answer.row else {
        writer.text("\"response\":{\"status\":\"204 No Content\"}");
        return;
    };
    if row.method == Method::Delete {
        return deleted(writer, std::slice::from_ref(answer));
    }
    writer.full_url(base, &row.key);
    if returned == Some(Return::Representation) {
        writer.text(",\"resource\":");
        write_resource(row, &Subset::Whole, &mut writer.out);
    }
    let status = match answer.effect {
        Effect::Created => "201 Created",
        Effect::Updated | Effect::Unchanged | Effect::Matched => "200 OK",
        Effect::Deleted | Effect::Absent => "204 No Content",
    };
    writer.text(",\"response\":{\"status\":\"");
    writer.text(status);
    writer.text("\",\"location\":");
    json::write_text(&version_url(base, &row.key, row.version), &mut writer.out);
    writer.version(row);
    if returned == Some(Return::OperationOutcome) || !answer.issues.is_empty() {
        writer.text(",\"outcome\":");
        json::write(&outcome(&told(answer)), &mut writer.out);
    }
    writer.text("}");
}

fn deleted(writer: &mut Writer, answers: &[Answer]) {
    writer.text("\"response\":{\"status\":\"204 No Content\"");
    if let [Answer { row: Some(row), .. }] = answers {
        writer.version(row);
    }
    writer.text("}");
}

fn failed(writer: &mut Writer, refusal: &Refusal) {
    writer.text("\"response\":{\"status\":");
    json::write_text(&refusal.status.to_string(), &mut writer.out);
    writer.text(",\"outcome\":");
    writer.out.extend_from_slice(&refusal.body());
    writer.text("}");
}

/// A Bundle under way.
struct Writer {
    out: Vec<u8>,
    has_entries: bool,
}

impl Writer {
    fn new(kind: &str, entries: usize) -> Writer {
        let mut writer = Writer { out: Vec::with_capacity(256 + entries * 2048), has_entries: false };
        writer.text("{\"resourceType\":\"Bundle\",\"type\":\"");
        writer.text(kind);
        writer.text("\"");
        writer
    }

    /// Adds text that needs no escaping.
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn total(&mut self, total: Option<i64>) {
        if let Some(total) = total {
            self.text(",\"total\":");
            self.text(&total.to_string());
        }
    }

    /// The links of a page: what it shows, the first one, the one before and the next one.
    fn links(
        &mut self,
        base: &str,
        path: &str,
        used: &[(String, String)],
        cursor: Option<&str>,
        previous: Option<&str>,
        next: Option<&str>,
    ) {
        let at = |cursor: &str| {
            let mut parameters = used.to_vec();
            parameters.push((CURSOR.to_owned(), cursor.to_owned()));
            query_url(base, path, &parameters)
        };
        let first = query_url(base, path, used);
        self.text(",\"link\":[");
        match cursor {
            Some(cursor) => {
                self.link("self", &at(cursor));
                self.text(",");
                self.link("first", &first);
            }
            None => self.link("self", &first),
        }
        for (relation, cursor) in [("previous", previous), ("next", next)] {
            if let Some(cursor) = cursor {
                self.text(",");
                self.link(relation, &at(cursor));
            }
        }
        self.text("]");
    }

    fn link(&mut self, relation: &str, url: &str) {
        self.text("{\"relation\":\"");
        self.text(relation);
        self.text("\",\"url\":");
        json::write_text(url, &mut self.out);
        self.text("}");
    }

    /// Begins an entry; the caller closes it.
    fn entry(&mut self) {
        self.text(if self.has_entries { ",{" } else { ",\"entry\":[{" });
        self.has_entries = true;
    }

    /// An entry of a searchset.
    fn found(&mut self, base: &str, row: &ResourceRow, subset: &Subset, mode: &str) {
        self.entry();
        self.full_url(base, &row.key);
        self.text(",\"resource\":");
        write_resource(row, subset, &mut self.out);
        self.text(",\"search\":{\"mode\":\"");
        self.text(mode);
        self.text("\"}}");
    }

    /// A match that is contained in another resource: its address is that of the container with its id as the fragment.
    ///
    /// Spec: R4 search.html#contained
    fn found_within(&mut self, base: &str, container: &ResourceRow, mut resource: Value, subset: &Subset) {
        self.entry();
        let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
        self.text("\"fullUrl\":");
        json::write_text(&format!("{}#{id}", resource_url(base, &container.key)), &mut self.out);
        subset.apply(&mut resource);
        self.text(",\"resource\":");
        json::write(&resource, &mut self.out);
        self.text(",\"search\":{\"mode\":\"match\"}}");
    }

    fn full_url(&mut self, base: &str, key: &ResourceKey) {
        self.text("\"fullUrl\":");
        json::write_text(&resource_url(base, key), &mut self.out);
    }

    /// ETag and instant of a version, as members that follow others.
    fn version(&mut self, row: &ResourceRow) {
        self.text(",\"etag\":\"W/\\\"");
        self.text(&row.version.to_string());
        self.text("\\\"\",\"lastModified\":\"");
        format_instant(row.updated_us, &mut self.out);
        self.text("\"");
    }

    fn finish(mut self) -> Vec<u8> {
        self.text(if self.has_entries { "]}" } else { "}" });
        self.out
    }
}
