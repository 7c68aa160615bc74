//! URLs in answers.

use crate::fhir::ResourceKey;

/// `[base]/[type]/[id]`
pub fn resource_url(base: &str, key: &ResourceKey) -> String {
    let (name, id) = (key.resource_type.name(), key.id.as_str());
    // Room for a version behind it. Joined, not formatted: each answer has one of these, and a page many.
    let mut url = String::with_capacity(base.len() + name.len() + id.len() + 32);
    for part in [base, "/", name, "/", id] {
        url.push_str(part);
    }
    url
}

/// `[base]/[type]/[id]/_history/[vid]`
pub fn version_url(base: &str, key: &ResourceKey, version: i64) -> String {
    let mut url = resource_url(base, key);
    url.push_str("/_history/");
    url.push_str(&version.to_string());
    url
}

/// The address `path` below the base, with `parameters` as its query.
pub fn query_url(base: &str, path: &str, parameters: &[(String, String)]) -> String {
    let mut url = String::with_capacity(base.len() + path.len() + 32 * parameters.len() + 1);
    url.push_str(base);
    if !path.is_empty() {
        url.push('/');
        url.push_str(path);
    }
    for (place, parameter) in parameters.iter().enumerate() {
        url.push(if place == 0 { '?' } else { '&' });
        pair(parameter, &mut url);
    }
    url
}

/// The parameters as a query string.
pub fn query_text(parameters: &[(String, String)]) -> String {
    let mut text = String::with_capacity(32 * parameters.len());
    for (place, parameter) in parameters.iter().enumerate() {
        if place > 0 {
            text.push('&');
        }
        pair(parameter, &mut text);
    }
    text
}

fn pair((name, value): &(String, String), text: &mut String) {
    encode(name, text);
    text.push('=');
    encode(value, text);
}

/// Writes `text` as part of a query: what could be taken for something else is escaped.
fn encode(text: &str, url: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',') {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.push(char::from(DIGITS[usize::from(byte >> 4)]));
            url.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::parse_query_string;

    #[test]
    fn a_link_says_again_what_was_asked() {
        let parameters = vec![
            ("name:exact".to_owned(), "Jürgen M & Söhne+%".to_owned()),
            ("code".to_owned(), "http://loinc.org|8867-4,b\\,c".to_owned()),
        ];

        let url = query_url("http://a/fhir", "Patient", &parameters);

        assert!(url.starts_with("http://a/fhir/Patient?name:exact=J%C3%BCrgen%20M%20%26"), "{url}");
        assert_eq!(parse_query_string(url.split_once('?').unwrap().1).unwrap(), parameters);
    }

    #[test]
    fn no_parameters_leave_no_question_mark() {
        assert_eq!(query_url("http://a/fhir", "", &[]), "http://a/fhir");
        assert_eq!(query_url("http://a/fhir", "Patient", &[]), "http://a/fhir/Patient");
    }
}
