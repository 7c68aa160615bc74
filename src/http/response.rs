//! Answers of the FHIR addresses.
//!
//! Spec: R4 http.html#read, #create, #versioning

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue, HttpDate};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, Responder};

use crate::fhir::Issue;
use crate::fhir::{json, outcome, write_head};
use crate::http::format::{AnswerMedia, Format};
use crate::http::links::version_url;
use crate::http::prefer::Return;
use crate::http::subset::Subset;
use crate::http::wanted::Wanted;
use crate::interactions::{Answer, Effect};
use crate::store::ResourceRow;

pub const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// Kept by the client alone, and asked for anew each time: an unchanged resource costs a 304. What has no tag to ask anew by is
/// not to be kept at all.
const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Below this, packing costs more than it saves.
const SMALLEST_PACKED_BYTES: usize = 1024;

/// An answer with a resource, a Bundle or nothing in its body.
pub struct FhirResponse {
    status: StatusCode,
    format: Format,
    /// Compact JSON; empty for none.
    body: Vec<u8>,
    /// The version that the answer is about.
    version: Option<Version>,
    /// Whether the client learns an address that it did not know.
    is_located: bool,
    /// Whether the body is that version, or would be.
    is_representation: bool,
}

struct Version {
    url: String,
    number: i64,
    updated_us: i64,
}

impl FhirResponse {
    /// An answer without a body.
    pub fn empty(status: StatusCode, format: Format) -> FhirResponse {
        FhirResponse { status, format, body: Vec::new(), version: None, is_located: false, is_representation: false }
    }

    /// An answer with the JSON in `body`.
    pub fn ok(body: Vec<u8>, format: Format) -> FhirResponse {
        FhirResponse { body, ..FhirResponse::empty(StatusCode::OK, format) }
    }

    /// An answer with the OperationOutcome that carries `issues`.
    pub fn outcome(status: StatusCode, issues: &[Issue], format: Format) -> FhirResponse {
        let mut body = Vec::new();
        json::write(&outcome(issues), &mut body);
        FhirResponse { body, ..FhirResponse::empty(status, format) }
    }

    /// One version of a resource, or the part of it that is wanted.
    pub fn resource(base: &str, row: &ResourceRow, subset: &Subset, format: Format) -> FhirResponse {
        let mut body = Vec::with_capacity(row.tail.as_ref().map_or(0, Vec::len) + 192);
        write_resource(row, subset, &mut body);
        FhirResponse { is_representation: true, ..FhirResponse::ok(body, format) }.about(base, row)
    }

    /// The client has this version already.
    pub fn not_modified(base: &str, row: &ResourceRow, format: Format) -> FhirResponse {
        let empty = FhirResponse::empty(StatusCode::NOT_MODIFIED, format);
        FhirResponse { is_representation: true, ..empty }.about(base, row)
    }

    /// The answer to a create, an update or a patch.
    pub fn written(base: &str, answer: &Answer, wanted: &Wanted) -> FhirResponse {
        let is_new = answer.effect == Effect::Created;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        let Some(row) = &answer.row else {
            return FhirResponse::empty(StatusCode::NO_CONTENT, wanted.format);
        };
        let mut response = match wanted.prefer.returned {
            Some(Return::Minimal) => FhirResponse::empty(status, wanted.format),
            Some(Return::OperationOutcome) => FhirResponse::outcome(status, &told(answer), wanted.format),
            Some(Return::Representation) | None => FhirResponse::resource(base, row, &Subset::Whole, wanted.format),
        };
        response.status = status;
        response.is_located = is_new || answer.effect == Effect::Matched;
        response.about(base, row)
    }

    /// The answer to a delete of one resource or several.
    pub fn deleted(answers: &[Answer], wanted: &Wanted) -> FhirResponse {
        let mut response = match wanted.prefer.returned {
            Some(Return::OperationOutcome) => {
                let deleted = answers.iter().filter(|answer| answer.effect == Effect::Deleted).count();
                let text = match deleted {
                    0 => "there was nothing to delete".to_owned(),
                    1 => "the resource was deleted".to_owned(),
                    many => format!("{many} resources were deleted"),
                };
                FhirResponse::outcome(StatusCode::OK, &[Issue::information(text)], wanted.format)
            }
            Some(Return::Minimal | Return::Representation) | None => {
                FhirResponse::empty(StatusCode::NO_CONTENT, wanted.format)
            }
        };
        if let [Answer { row: Some(row), .. }] = answers {
            response.version = Some(Version { url: String::new(), number: row.version, updated_us: row.updated_us });
        }
        response
    }

    fn about(mut self, base: &str, row: &ResourceRow) -> FhirResponse {
        let url = version_url(base, &row.key, row.version);
        self.version = Some(Version { url, number: row.version, updated_us: row.updated_us });
        self
    }
}

/// What there is to say of a write that was done.
pub fn told(answer: &Answer) -> Vec<Issue> {
    if !answer.issues.is_empty() {
        return answer.issues.clone();
    }
    let text = match answer.effect {
        Effect::Created => "the resource was created",
        Effect::Updated => "the resource was updated",
        Effect::Unchanged => "the resource was already as wanted, so there is no new version",
        Effect::Matched => "a resource that matches exists already, so none was created",
        Effect::Deleted => "the resource was deleted",
        Effect::Absent => "there was nothing to delete",
    };
    vec![Issue::information(text)]
}

/// Writes the resource, or the part of it that is wanted, as compact JSON.
pub fn write_resource(row: &ResourceRow, subset: &Subset, out: &mut Vec<u8>) {
    let start = out.len();
    write_head(&row.key, row.version, row.updated_us, out);
    // A deletion has no tail; whoever writes one writes an empty resource.
    out.extend_from_slice(row.tail.as_deref().unwrap_or(b"}}"));
    if *subset != Subset::Whole
        && let Ok(mut value) = json::parse(&out[start..])
    {
        subset.apply(&mut value);
        out.truncate(start);
        json::write(&value, out);
    }
}

/// The ETag of a version.
pub fn etag(version: i64) -> HeaderValue {
    let mut text = String::with_capacity(16);
    let _ = write!(text, "W/\"{version}\"");
    HeaderValue::try_from(text).expect("digits and quotes are fit for a header")
}

/// An HTTP date, which has whole seconds.
pub fn http_date(us: i64) -> HttpDate {
    let since_epoch = Duration::from_secs(u64::try_from(us / 1_000_000).unwrap_or(0));
    HttpDate::from(UNIX_EPOCH + since_epoch)
}

/// Tells the compressing middleware to leave a small body alone; `edge` takes the mark off again.
pub fn keep_small_body_plain(response: &mut HttpResponseBuilder, body_bytes: usize) {
    if body_bytes < SMALLEST_PACKED_BYTES {
        response.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("identity")));
    }
}

impl Responder for FhirResponse {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status);
        let is_kept = self.is_representation
            && self.version.is_some()
            && matches!(self.status, StatusCode::OK | StatusCode::NOT_MODIFIED);
        response.insert_header((header::CACHE_CONTROL, if is_kept { CACHE } else { NO_STORE }));
        if let Some(version) = self.version {
            response.insert_header((header::ETAG, etag(version.number)));
            response.insert_header((header::LAST_MODIFIED, http_date(version.updated_us)));
            if let Ok(url) = HeaderValue::try_from(version.url)
                && !url.is_empty()
            {
                if self.is_located {
                    response.insert_header((header::LOCATION, url.clone()));
                }
                if self.is_representation {
                    response.insert_header((header::CONTENT_LOCATION, url));
                }
            }
        }
        if self.body.is_empty() {
            return response.finish();
        }
        let media = match self.format.media {
            AnswerMedia::FhirJson => FHIR_JSON,
            AnswerMedia::Json => JSON,
        };
        response.insert_header((header::CONTENT_TYPE, media));
        let body = if self.format.is_pretty { indented(self.body) } else { self.body };
        keep_small_body_plain(&mut response, body.len());
        response.body(body)
    }
}

/// The same JSON for people.
fn indented(compact: Vec<u8>) -> Vec<u8> {
    let pretty = json::parse(&compact).ok().and_then(|value| serde_json::to_vec_pretty(&value).ok());
    pretty.unwrap_or(compact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indenting_keeps_the_order_and_every_digit() {
        let pretty = indented(br#"{"b":1.50,"a":[{"c":"x"}]}"#.to_vec());

        assert_eq!(
            String::from_utf8(pretty).unwrap(),
            "{\n  \"b\": 1.50,\n  \"a\": [\n    {\n      \"c\": \"x\"\n    }\n  ]\n}"
        );
    }

    #[test]
    fn dates_and_tags_are_written_as_http_wants_them() {
        assert_eq!(http_date(784_111_777_250_000).to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(etag(12), "W/\"12\"");
    }
}
