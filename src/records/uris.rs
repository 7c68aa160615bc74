//! Addresses that a client registers.
//!
//! Spec: RFC 9700 section 2.1, RFC 8252 sections 7 and 8, OAuth 2.1 section 2.3.1

use reqwest::Url;

use crate::config::OutboundSettings;
use crate::outbound::{OutboundError, may_be_asked};
use crate::records::RecordError;

const MOST_BYTES: usize = 2000;
/// Addresses of this machine itself, written out.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Refuses what can't be a redirect URI: it must be https, http on loopback, or of an app's own scheme, whole and to the byte.
pub(super) fn check_redirect_uri(uri: &str) -> Result<(), RecordError> {
    let own_scheme =
        "use https, http on loopback, or an app's own scheme with a dot in it, such as org.example.app:/done";
    check(uri, "redirect_uris", "a redirect URI", |url| match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        // RFC 8252 section 7.1: a domain name in reverse. `javascript` and `data` have no dot.
        scheme if scheme.contains('.') => Ok(()),
        _ => Err(own_scheme),
    })
}

/// Refuses what can't be a launch URI.
pub(super) fn check_launch_uri(uri: &str) -> Result<(), RecordError> {
    check(uri, "initiate_login_uri", "a launch URI", |url| match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => Err("use https, or http on loopback"),
    })
}

/// Refuses what can't be the address of a page that people are sent to, such as a policy.
pub(super) fn check_page_uri(uri: &str, member: &'static str) -> Result<(), RecordError> {
    check(uri, member, "the address of a page", |url| match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => Err("use https"),
    })
}

/// Whether a request may name `sent` where `registered` is registered: the same to the byte, but for the port of loopback, which an
/// app on somebody's own machine gets when it starts.
///
/// RFC 8252 section 7.3: "The authorization server MUST allow any port to be specified at the time of the request for loopback IP
/// redirect URIs". `localhost` is a name, and may lead elsewhere.
pub fn redirect_matches(registered: &str, sent: &str) -> bool {
    let behind_port = |uri: &str, host: &str| uri.strip_prefix(host).map(|rest| without_port(rest).to_owned());
    let differ_in_port = |host: &str| {
        let behind = behind_port(sent, host);
        behind.is_some() && behind == behind_port(registered, host)
    };
    registered == sent || LOOPBACK.into_iter().any(differ_in_port)
}

/// What follows a port, if one is there.
fn without_port(rest: &str) -> &str {
    let Some(port) = rest.strip_prefix(':') else { return rest };
    let digits = port.bytes().take_while(u8::is_ascii_digit).count();
    let (number, behind) = port.split_at(digits);
    let is_port = number.parse::<u16>().is_ok_and(|port| port > 0) && !number.starts_with('0');
    if is_port { behind } else { rest }
}

/// Refuses what can't be the address of a JWK Set, since the server would not ask there by these settings.
pub(super) fn check_jwks_uri(uri: &str, outbound: &OutboundSettings) -> Result<(), RecordError> {
    check(uri, "jwks_uri", "the address of a JWK Set", |url| match may_be_asked(url, outbound) {
        Ok(()) => Ok(()),
        Err(OutboundError::NotPublic) => {
            Err("name a host on the public internet, list its origin with --outbound-allow, or give \
             the keys themselves")
        }
        Err(_) => Err("use https, or give the keys themselves; at home or in a test list its origin with \
             --outbound-allow"),
    })
}

fn check(
    uri: &str,
    member: &'static str,
    what: &'static str,
    scheme: impl FnOnce(&Url) -> Result<(), &'static str>,
) -> Result<(), RecordError> {
    let unfit = |remedy| RecordError::UnfitUri { member, what, uri: uri.chars().take(200).collect(), remedy };
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

    #[test]
    fn only_the_port_of_loopback_may_be_another() {
        let same = [
            ("https://app.example/done?a=b", "https://app.example/done?a=b"),
            ("http://127.0.0.1/done", "http://127.0.0.1:51234/done"),
            ("http://127.0.0.1:8000/done", "http://127.0.0.1/done"),
            ("http://127.0.0.1:8000/done?a=b", "http://127.0.0.1:8001/done?a=b"),
            ("http://[::1]/", "http://[::1]:65535/"),
            ("org.example.app:/done", "org.example.app:/done"),
        ];
        let others = [
            ("https://app.example/done", "https://app.example:8443/done"),
            ("https://app.example/done", "https://app.example/done/"),
            ("https://app.example/done", "https://APP.example/done"),
            ("https://app.example/done", "https://app.example/done?"),
            ("https://app.example/done", "https://app.example/done#x"),
            ("https://app.example/done", "https://app.example/%64one"),
            ("https://app.example/done", "https://app.example/x/../done"),
            ("https://app.example/done", "https://app.example.evil.example/done"),
            ("http://localhost:3000/done", "http://localhost:3001/done"),
            ("https://127.0.0.1/done", "https://127.0.0.1:1/done"),
            ("http://127.0.0.1/done", "http://[::1]/done"),
            ("http://127.0.0.1/done", "http://localhost/done"),
            ("http://127.0.0.1/done", "http://127.0.0.1:1/evil"),
            ("http://127.0.0.1/done", "http://127.0.0.1:/done"),
            ("http://127.0.0.1/done", "http://127.0.0.1:0/done"),
            ("http://127.0.0.1/done", "http://127.0.0.1:080/done"),
            ("http://127.0.0.1/done", "http://127.0.0.1:65536/done"),
            ("http://127.0.0.1/done", "http://127.0.0.1:1@evil.example/done"),
            ("http://127.0.0.1/done", "http://127.0.0.1:1.evil.example/done"),
            ("http://127.0.0.1/done", "http://127.0.0.1.evil.example/done"),
            ("http://127.0.0.1/done", "http://127.0.0.11/done"),
            ("http://127.0.0.1/done", "http://127.1/done"),
            ("http://127.0.0.1/done", "http://127.0.0.1:1/done#x"),
            ("http://127.0.0.1/done", "HTTP://127.0.0.1:1/done"),
            ("http://[::1]/done", "http://[::1%25lo]:1/done"),
        ];
        for (registered, sent) in same {
            assert!(redirect_matches(registered, sent), "{registered} {sent}");
        }
        for (registered, sent) in others {
            assert!(!redirect_matches(registered, sent), "{registered} {sent}");
        }
    }
}
