//! The media types of request bodies.
//!
//! Spec: R4 http.html#mime-type

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use mime::Mime;

use crate::http::HttpError;

/// What a body says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMedia {
    FhirJson,
    JsonPatch,
    Form,
}

impl BodyMedia {
    /// Reads `Content-Type`; `None` when it is absent.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<BodyMedia>, HttpError> {
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Ok(None);
        };
        let media = match value.as_bytes() {
            b"application/fhir+json" | b"application/json" => BodyMedia::FhirJson,
            other => body_media(std::str::from_utf8(other).unwrap_or_default())?,
        };
        Ok(Some(media))
    }
}

fn body_media(content_type: &str) -> Result<BodyMedia, HttpError> {
    let unsupported = |text| Err(HttpError::UnsupportedMediaType(text));
    let Ok(media) = content_type.parse::<Mime>() else {
        return unsupported("the Content-Type is no media type: send application/fhir+json");
    };
    if media.get_param(mime::CHARSET).is_some_and(|charset| charset != "utf-8") {
        return unsupported("the charset of the body must be UTF-8: JSON is always sent so");
    }
    if !is_r4(&media) {
        return unsupported("the fhirVersion of the body must be 4.0");
    }
    match media.essence_str() {
        "application/fhir+json" | "application/json" | "text/json" => Ok(BodyMedia::FhirJson),
        "application/json-patch+json" => Ok(BodyMedia::JsonPatch),
        "application/x-www-form-urlencoded" => Ok(BodyMedia::Form),
        _ if is_xml(&media) => unsupported("this server doesn't read XML yet: send application/fhir+json"),
        _ => unsupported(
            "this Content-Type can't be read: send application/fhir+json, or application/json-patch+json for a JSON Patch",
        ),
    }
}

/// True when `fhirVersion` is absent or names R4.
pub fn is_r4(media: &Mime) -> bool {
    media.get_param("fhirversion").is_none_or(|version| matches!(version.as_str(), "4.0" | "4.0.1"))
}

/// True for any of the names by which XML goes.
pub fn is_xml(media: &Mime) -> bool {
    media.suffix() == Some(mime::XML) || media.subtype() == mime::XML
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_say_what_a_body_is() {
        let cases = [
            ("application/fhir+json", Some(BodyMedia::FhirJson)),
            ("application/fhir+json; charset=UTF-8", Some(BodyMedia::FhirJson)),
            ("application/fhir+json; fhirVersion=4.0; charset=utf-8", Some(BodyMedia::FhirJson)),
            ("Application/JSON", Some(BodyMedia::FhirJson)),
            ("text/json", Some(BodyMedia::FhirJson)),
            ("application/json-patch+json", Some(BodyMedia::JsonPatch)),
            ("application/x-www-form-urlencoded", Some(BodyMedia::Form)),
            ("application/fhir+json; fhirVersion=3.0", None),
            ("application/fhir+json; charset=iso-8859-1", None),
            ("application/fhir+xml", None),
            ("text/plain", None),
            ("json", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(body_media(text).ok(), wanted, "{text}");
        }
    }
}
