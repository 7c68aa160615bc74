//! Addresses that a client registers.
//!
//! Spec: RFC 9700 section 2.1, RFC 8252 sections 7 and 8, OAuth 2.1 section 2.3.1

use reqwest::Url;

use crate::config::OutboundSettings;
use crate::outbound::{OutboundError, may_be_asked};
use crate::records::RecordError;

const MOST_BYTES: usize = 2000;

/// Refuses what can't be a redirect URI: it must be https, http on loopback, or of an app's own scheme, whole and to the byte.
pub(super) fn check_redirect_uri(uri: &str) -> Result<(), RecordError> {
    let own_scheme =
        "use https, http on loopback, or an app's own scheme with a dot in it, such as org.example.app:/done";
    check(uri, "--redirect-uri", "a redirect URI", |url| match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        // RFC 8252 section 7.1: a domain name in reverse. `javascript` and `data` have no dot.
        scheme if scheme.contains('.') => Ok(()),
        _ => Err(own_scheme),
    })
}

/// Refuses what can't be a launch URI.
pub(super) fn check_launch_uri(uri: &str) -> Result<(), RecordError> {
    check(uri, "--launch-uri", "a launch URI", |url| match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => Err("use https, or http on loopback"),
    })
}

/// Refuses what can't be the address of a JWK Set, since the server would not ask there by these settings.
pub(super) fn check_jwks_uri(uri: &str, outbound: &OutboundSettings) -> Result<(), RecordError> {
    check(uri, "--jwks-uri", "the address of a JWK Set", |url| match may_be_asked(url, outbound) {
        Ok(()) => Ok(()),
        Err(OutboundError::NotPublic) => {
            Err("name a host on the public internet, list its origin with --outbound-allow, or give \
             the keys themselves with --jwks FILE")
        }
        Err(_) => {
            Err("use https, or give the keys themselves with --jwks FILE; at home or in a test list its origin with \
             --outbound-allow")
        }
    })
}

fn check(
    uri: &str,
    flag: &'static str,
    what: &'static str,
    scheme: impl FnOnce(&Url) -> Result<(), &'static str>,
) -> Result<(), RecordError> {
    let unfit = |remedy| RecordError::UnfitUri { flag, what, uri: uri.chars().take(200).collect(), remedy };
    if uri.len() > MOST_BYTES || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(unfit("it has at most 2000 bytes of ASCII, without spaces"));
    }
    if uri.contains('#') {
        return Err(unfit("leave the fragment out"));
    }
    if uri.contains('*') {
        return Err(unfit("name each address whole, without *"));
    }
    let url = Url::parse(uri).map_err(|_| unfit("use an absolute URI, such as https://app.example/done"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unfit("leave user and password out"));
    }
    scheme(&url).map_err(unfit)
}

fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_is_safe_to_send_a_code_to() {
        for right in [
            "https://app.example/done",
            "https://app.example:8443/done?a=b",
            "http://127.0.0.1/done",
            "http://[::1]:4000/",
            "http://localhost:3000/done",
            "org.example.app:/done",
        ] {
            assert!(check_redirect_uri(right).is_ok(), "{right}");
        }
        let long = format!("https://app.example/{}", "a".repeat(2000));
        for wrong in [
            "",
            "/done",
            "app.example/done",
            "http://app.example/done",
            "http://localhost.example/done",
            "http://127.0.0.1.example/done",
            "https://app.example/done#x",
            "https://*.app.example/done",
            "https://user:secret@app.example/done",
            "https://user@app.example/done",
            "https://app.example/a b",
            "https://app.example/é",
            "https://",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "myapp:/done",
            &long,
        ] {
            assert!(check_redirect_uri(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_and_launches_are_fetched_over_tls_unless_the_settings_or_this_machine_say_otherwise() {
        let listed = OutboundSettings { allow: vec!["http://127.0.0.1:8090".to_owned()] };
        for (uri, is_public, is_listed) in [
            ("https://app.example/jwks", true, true),
            ("http://127.0.0.1:8090/jwks", false, true),
            ("http://127.0.0.1/jwks", false, false),
            ("https://127.0.0.1/jwks", false, false),
            ("https://[::1]/jwks", false, false),
            ("http://app.example/jwks", false, false),
            ("org.example.app:/jwks", false, false),
        ] {
            assert_eq!(check_jwks_uri(uri, &OutboundSettings::default()).is_ok(), is_public, "{uri}");
            assert_eq!(check_jwks_uri(uri, &listed).is_ok(), is_listed, "{uri}");
        }
        assert!(check_launch_uri("https://app.example/launch").is_ok());
        assert!(check_launch_uri("http://localhost/launch").is_ok());
        assert!(check_launch_uri("org.example.app:/launch").is_err());
    }
}
