//! The headers that make a request depend on the version that is there.
//!
//! Spec: R4 http.html#versioning, #concurrency, #cread, RFC 9110 13

use std::future::{Ready, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderName, HttpDate};
use actix_web::{FromRequest, HttpRequest};

use crate::http::HttpError;
use crate::interactions::Precondition;
use crate::store::ResourceRow;

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// The versions that an `If-Match` or `If-None-Match` names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Any,
    Versions(Vec<String>),
}

/// The conditions of one request.
#[derive(Debug, Default)]
pub struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
    /// Whole seconds since 1970.
    if_modified_since: Option<i64>,
    /// The search of `If-None-Exist`.
    pub if_none_exist: Option<String>,
}

impl Conditions {
    fn from_headers(headers: &HeaderMap) -> Result<Conditions, HttpError> {
        let if_modified_since = headers.get(header::IF_MODIFIED_SINCE);
        let if_none_exist = match headers.get(IF_NONE_EXIST).map(|value| value.to_str()) {
            None => None,
            Some(Ok(text)) => Some(text.to_owned()),
            Some(Err(_)) => {
                let problem = "give a search, such as identifier=system|value, with other letters than ASCII encoded";
                return Err(HttpError::Header { name: "If-None-Exist", problem });
            }
        };
        Ok(Conditions {
            if_match: tags(headers, header::IF_MATCH, "If-Match")?,
            if_none_match: tags(headers, header::IF_NONE_MATCH, "If-None-Match")?,
            // RFC 9110 13.1.3: a date that can't be read is as good as none.
            if_modified_since: if_modified_since.and_then(|value| seconds(value.to_str().ok()?)),
            if_none_exist,
        })
    }

    /// True when the client has `row` already. `If-None-Match` outweighs `If-Modified-Since`.
    pub fn is_not_modified(&self, row: &ResourceRow) -> bool {
        match (&self.if_none_match, self.if_modified_since) {
            (Some(Tags::Any), _) => true,
            (Some(Tags::Versions(versions)), _) => {
                let version = row.version.to_string();
                versions.contains(&version)
            }
            // HTTP dates have whole seconds.
            (None, Some(since)) => row.updated_us.div_euclid(1_000_000) <= since,
            (None, None) => false,
        }
    }

    /// The conditions of a write.
    pub fn precondition(&self) -> Result<Precondition, HttpError> {
        let if_none_match_any = match &self.if_none_match {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::Versions(_)) => {
                return Err(HttpError::Header { name: "If-None-Match", problem: "a write takes * only" });
            }
        };
        let if_match = self.if_match.as_ref().map(|tags| match tags {
            Tags::Any => vec!["*".to_owned()],
            Tags::Versions(versions) => versions.clone(),
        });
        Ok(Precondition { if_match, if_none_match_any })
    }
}

impl FromRequest for Conditions {
    type Error = HttpError;
    type Future = Ready<Result<Conditions, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Conditions::from_headers(request.headers()))
    }
}

fn tags(headers: &HeaderMap, header: HeaderName, name: &'static str) -> Result<Option<Tags>, HttpError> {
    let mut found: Option<Tags> = None;
    for value in headers.get_all(header) {
        let read = value.to_str().ok().and_then(read_tags);
        let problem = "give versions as W/\"1\", separated by commas, or *";
        let read = read.ok_or(HttpError::Header { name, problem })?;
        found = Some(match (found, read) {
            (None, read) => read,
            (Some(Tags::Versions(mut versions)), Tags::Versions(more)) => {
                versions.extend(more);
                Tags::Versions(versions)
            }
            (Some(_), _) => Tags::Any,
        });
    }
    Ok(found)
}

/// Reads `*` or a list of tags, weak or strong: FHIR's are weak by form, and compared by their text.
fn read_tags(text: &str) -> Option<Tags> {
    let text = text.trim();
    if text == "*" {
        return Some(Tags::Any);
    }
    let mut versions = Vec::new();
    let mut rest = text;
    loop {
        let tag = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (version, after) = tag.split_once('"')?;
        // 64 characters are the most that an id has, and a version is an id.
        if version.len() > 64 || version.is_empty() {
            return None;
        }
        versions.push(version.to_owned());
        let after = after.trim_start();
        if after.is_empty() {
            return Some(Tags::Versions(versions));
        }
        rest = after.strip_prefix(',')?.trim_start();
    }
}

fn seconds(date: &str) -> Option<i64> {
    let date: SystemTime = date.parse::<HttpDate>().ok()?.into();
    i64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;
    use crate::fhir::{Id, ResourceKey, ResourceType};
    use crate::store::Method;

    fn conditions(name: HeaderName, value: &'static str) -> Result<Conditions, HttpError> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        Conditions::from_headers(&headers)
    }

    fn version_3() -> ResourceRow {
        let key = ResourceKey { resource_type: ResourceType::PATIENT, id: Id::parse("1").unwrap() };
        // 1994-11-06T08:49:37.250Z
        let updated_us = 784_111_777_250_000;
        ResourceRow { rid: 1, key, version: 3, updated_us, method: Method::Update, tail: None }
    }

    #[test]
    fn tags_are_read_in_all_their_forms() {
        let versions = |list: &[&str]| Some(Tags::Versions(list.iter().map(|&tag| tag.to_owned()).collect()));
        let cases = [
            ("W/\"3\"", versions(&["3"])),
            ("\"3\"", versions(&["3"])),
            (" W/\"3\" , \"4\",W/\"a,b\"", versions(&["3", "4", "a,b"])),
            ("*", Some(Tags::Any)),
            ("3", None),
            ("W/3", None),
            ("\"3", None),
            ("W/\"3\" W/\"4\"", None),
            ("W/\"3\",", None),
            ("\"\"", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(read_tags(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_malformed_if_match_is_refused() {
        assert!(matches!(conditions(header::IF_MATCH, "3"), Err(HttpError::Header { name: "If-Match", .. })));
    }

    #[test]
    fn a_known_version_is_not_modified() {
        let cases = [
            (header::IF_NONE_MATCH, "W/\"3\"", true),
            (header::IF_NONE_MATCH, "\"2\", \"3\"", true),
            (header::IF_NONE_MATCH, "*", true),
            (header::IF_NONE_MATCH, "W/\"2\"", false),
            (header::IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT", true),
            (header::IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT", false),
            (header::IF_MODIFIED_SINCE, "yesterday", false),
        ];
        for (name, value, wanted) in cases {
            assert_eq!(conditions(name, value).unwrap().is_not_modified(&version_3()), wanted, "{value}");
        }
    }

    #[test]
    fn a_tag_outweighs_a_date() {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("W/\"2\""));
        headers.insert(header::IF_MODIFIED_SINCE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));

        assert!(!Conditions::from_headers(&headers).unwrap().is_not_modified(&version_3()));
    }

    #[test]
    fn writes_take_versions_to_match_and_a_star_not_to_match() {
        let matched = conditions(header::IF_MATCH, "W/\"3\"").unwrap().precondition().unwrap();
        let absent = conditions(header::IF_NONE_MATCH, "*").unwrap().precondition().unwrap();
        let refused = conditions(header::IF_NONE_MATCH, "W/\"3\"").unwrap().precondition();

        assert_eq!(matched, Precondition { if_match: Some(vec!["3".to_owned()]), if_none_match_any: false });
        assert_eq!(absent, Precondition { if_match: None, if_none_match_any: true });
        assert!(matches!(refused, Err(HttpError::Header { name: "If-None-Match", .. })));
    }
}
