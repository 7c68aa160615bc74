//! Where somebody who signs in comes from.

use std::net::IpAddr;
use std::sync::Arc;

use crate::store::Hasher;

/// Of what the browser says of itself, so many characters are kept.
const AGENT_CHARS: usize = 200;

/// Where a request of a person comes from, as far as it can be known.
#[derive(Clone, Debug)]
pub struct Whence {
    /// The address that it comes from.
    pub address: Option<IpAddr>,
    /// Whom that address stands for: of IPv6 a whole network.
    pub household: Option<IpAddr>,
    /// What the browser says of itself.
    pub agent: String,
    /// The id of the request.
    pub request: Arc<str>,
}

impl Whence {
    /// From there.
    pub fn new(address: Option<IpAddr>, household: Option<IpAddr>, agent: &str, request: Arc<str>) -> Whence {
        let agent = agent.chars().filter(|letter| !letter.is_control()).take(AGENT_CHARS).collect();
        Whence { address, household, agent, request }
    }

    /// The address as text.
    pub(super) fn network(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    /// What stands for the network in `account_place`.
    pub(super) fn network_mark(&self, hasher: Hasher) -> i64 {
        let network = self.household.map(|address| address.to_string()).unwrap_or_default();
        hasher.text(&format!("network {network}"))
    }

    /// What stands for the browser in `account_place`: whatever its version.
    pub(super) fn device_mark(&self, hasher: Hasher) -> i64 {
        let kind: String = self.agent.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        hasher.text(&format!("device {kind}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_the_same_after_an_update() {
        let hasher = Hasher::new([7; 16]);
        let mark = |agent: &str| Whence::new(None, None, agent, "1".into()).device_mark(hasher);

        assert_eq!(mark("Mozilla/5.0 (X11; Linux) Firefox/140.0"), mark("Mozilla/5.0 (X11; Linux) Firefox/141.0"));
        assert_ne!(mark("Mozilla/5.0 (X11; Linux) Firefox/140.0"), mark("Mozilla/5.0 (Windows) Firefox/140.0"));
    }

    #[test]
    fn what_a_browser_says_is_bounded() {
        let whence = Whence::new(None, None, &format!("a\u{7}{}", "b".repeat(300)), "1".into());

        assert_eq!(whence.agent.len(), 200);
        assert!(whence.agent.starts_with("abb"));
    }
}
