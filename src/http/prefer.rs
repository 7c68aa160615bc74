//! The `Prefer` header.
//!
//! Spec: R4 http.html#ops, #prefer, RFC 7240

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::search::Handling;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What a write is to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    Minimal,
    Representation,
    OperationOutcome,
}

/// What the client would like; what is not understood is passed over, as the RFC says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefer {
    /// `None` when the client did not say.
    pub returned: Option<Return>,
    pub handling: Handling,
}

impl Default for Prefer {
    fn default() -> Prefer {
        Prefer { returned: None, handling: Handling::Strict }
    }
}

impl Prefer {
    /// Reads all `Prefer` headers; of a preference that is given twice the first counts.
    pub fn from_headers(headers: &HeaderMap) -> Prefer {
        let mut prefer = Prefer::default();
        let mut handling = None;
        let texts = headers.get_all(PREFER).filter_map(|value| value.to_str().ok());
        // FHIR clients put semicolons where the RFC wants commas.
        for preference in texts.flat_map(|text| text.split([',', ';'])) {
            let Some((name, value)) = preference.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            let name = name.trim();
            if name.eq_ignore_ascii_case("return") && prefer.returned.is_none() {
                prefer.returned = match value {
                    "minimal" => Some(Return::Minimal),
                    "representation" => Some(Return::Representation),
                    "OperationOutcome" => Some(Return::OperationOutcome),
                    _ => None,
                };
            } else if name.eq_ignore_ascii_case("handling") && handling.is_none() {
                handling = match value {
                    "strict" => Some(Handling::Strict),
                    "lenient" => Some(Handling::Lenient),
                    _ => None,
                };
            }
        }
        prefer.handling = handling.unwrap_or(Handling::Strict);
        prefer
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn prefer(values: &[&'static str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_static(value));
        }
        Prefer::from_headers(&headers)
    }

    #[test]
    fn nothing_preferred_is_strict_and_leaves_the_answer_open() {
        assert_eq!(prefer(&[]), Prefer { returned: None, handling: Handling::Strict });
    }

    #[test]
    fn preferences_are_read_from_one_header_or_several() {
        let wanted = Prefer { returned: Some(Return::Minimal), handling: Handling::Lenient };

        assert_eq!(prefer(&["return=minimal; handling=lenient"]), wanted);
        assert_eq!(prefer(&["return=minimal, handling=lenient"]), wanted);
        assert_eq!(prefer(&["Handling=\"lenient\"", "return = minimal"]), wanted);
        assert_eq!(
            prefer(&["respond-async, wait=10, return=minimal, return=representation, handling=lenient"]),
            wanted
        );
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        assert_eq!(prefer(&["return=everything; handling=gently; lenient"]), Prefer::default());
        assert_eq!(prefer(&["return=OperationOutcome"]).returned, Some(Return::OperationOutcome));
    }
}
