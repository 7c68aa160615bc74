//! From which address a request comes.
//!
//! What a header says of that is believed only of proxies that the settings name: anybody could write it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::http::header::{HeaderMap, USER_AGENT, X_FORWARDED_FOR};
use actix_web::{HttpMessage, HttpRequest};

use crate::auth::sign_in::Whence;
use crate::config::Network;
use crate::http::App;
use crate::http::edge::RequestId;

/// The client's address, as far as it can be known.
pub fn address(app: &App, request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    Some(behind(peer, &app.proxies, request.headers()))
}

/// Whom an address stands for: of IPv6, anybody has as many as they like of a whole /64.
pub fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// Where a request of a person comes from.
pub fn whence(app: &App, request: &HttpRequest) -> Whence {
    let address = address(app, request);
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let extensions = request.extensions();
    let id = extensions.get::<RequestId>().and_then(|id| id.0.to_str().ok()).unwrap_or_default();
    Whence::new(address, address.map(household), agent, id.into())
}

/// The last address that is no proxy's. Each proxy adds whom it was asked by, at the end.
fn behind(peer: IpAddr, proxies: &[Network], headers: &HeaderMap) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    if !is_proxy(peer) {
        return peer;
    }
    let told: Vec<_> = headers.get_all(X_FORWARDED_FOR).filter_map(|value| value.to_str().ok()).collect();
    let mut nearest = peer;
    for text in told.iter().flat_map(|text| text.split(',')).rev() {
        // What can't be read was not written by a proxy that can be believed.
        let Some(address) = parse(text.trim()) else { break };
        nearest = address;
        if !is_proxy(address) {
            break;
        }
    }
    nearest
}

fn parse(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    Some(text.parse().ok().or_else(with_port)?.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn only_proxies_are_believed() {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        let table: [(&str, &[&str], &str); 10] = [
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, 192.0.2.9"], "192.0.2.9"),
            ("10.0.0.1", &["198.51.100.7, 192.0.2.9, 10.9.9.9"], "192.0.2.9"),
            ("10.0.0.1", &["198.51.100.7", "192.0.2.9"], "192.0.2.9"),
            ("10.0.0.1", &["192.0.2.9, unknown"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.2"], "10.0.0.2"),
            ("::1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["::ffff:192.0.2.9"], "192.0.2.9"),
        ];
        for (peer, told, wanted) in table {
            let mut headers = HeaderMap::new();
            told.iter().for_each(|text| headers.append(X_FORWARDED_FOR, HeaderValue::from_str(text).unwrap()));

            let found = behind(peer.parse().unwrap(), &proxies, &headers);

            assert_eq!(found, wanted.parse::<IpAddr>().unwrap(), "{peer} {told:?}");
        }
    }

    #[test]
    fn one_household_of_ipv6_is_one() {
        let of = |text: &str| household(text.parse().unwrap()).to_string();

        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
    }
}
