//! Under which names this server is asked for.
//!
//! A page of somebody else's can have its own name lead to this machine, and would then be allowed to read the answers of
//! whoever listens here. So a request must name a host that this server goes by.
//!
//! Spec: RFC 9110 section 7.2, 7.4

use std::net::{IpAddr, SocketAddr};

/// The names.
#[derive(Debug)]
pub struct Hosts {
    names: Vec<String>,
    /// Where it listens.
    address: IpAddr,
}

impl Hosts {
    /// The host of the base, those that the settings add, and the address that it listens on. This machine's own names always
    /// lead here.
    pub fn new(base_url: &str, more: &[String], address: SocketAddr) -> Hosts {
        let base = url::Url::parse(base_url).ok().and_then(|url| Some(bare(url.host_str()?).to_owned()));
        let names = base.into_iter().chain(more.iter().map(|name| bare(name).to_owned()));
        Hosts { names: names.chain(["localhost".to_owned()]).collect(), address: address.ip().to_canonical() }
    }

    /// Whether `authority`, a host with or without a port, is one of them. The port is no matter: it may be another one
    /// outside of a container.
    pub fn knows(&self, authority: &str) -> bool {
        let host = bare(without_port(authority));
        match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
            // By an address nobody is led astray; one that is listened on everywhere has many.
            Ok(address) => {
                address.is_loopback()
                    || address == self.address
                    || self.address.is_unspecified()
                    || self.names.iter().any(|name| name.parse() == Ok(address))
            }
            Err(_) => self.names.iter().any(|name| name.eq_ignore_ascii_case(host)),
        }
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

/// Without the brackets of an IPv6 address and the dot of a whole name.
fn bare(host: &str) -> &str {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or_else(|| host.strip_suffix('.').unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(address: &str) -> Hosts {
        Hosts::new("https://ehr.example/fhir", &["inner.example".to_owned()], address.parse().unwrap())
    }

    #[test]
    fn only_own_names_are_known() {
        let hosts = hosts("192.0.2.1:8080");
        let own = [
            "ehr.example",
            "EHR.example:443",
            "ehr.example.",
            "inner.example:8080",
            "localhost",
            "localhost:9000",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::1]",
            "192.0.2.1:1",
            "[::ffff:192.0.2.1]:1",
        ];
        let foreign = [
            "",
            ":8080",
            "evil.example",
            "ehr.example.evil.example",
            "evil.ehr.example",
            "localhost.evil.example",
            "192.0.2.2",
            "[2001:db8::1]:8080",
            "ehr.example@evil.example",
            "2130706433",
            "127.0.0.1.evil.example",
        ];
        for host in own {
            assert!(hosts.knows(host), "{host}");
        }
        for host in foreign {
            assert!(!hosts.knows(host), "{host}");
        }
    }

    #[test]
    fn who_listens_everywhere_has_any_address_but_no_other_name() {
        let hosts = hosts("0.0.0.0:8080");

        assert!(hosts.knows("198.51.100.7:8080") && hosts.knows("[2001:db8::1]"));
        assert!(!hosts.knows("evil.example"));
    }
}
