//! How many connections one address may have open.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Network, NetworkSettings};
use crate::http::peer::household;

/// The open connections, by address.
pub struct Lines {
    open: Mutex<HashMap<IpAddr, usize>>,
    most: usize,
    /// Behind these addresses are many clients, or somebody who is trusted.
    uncounted: Vec<Network>,
}

/// One connection; its place is free again when it is dropped.
pub struct Line(Option<(Arc<Lines>, IpAddr)>);

impl Lines {
    /// None of `proxies` is counted, either.
    pub fn new(settings: &NetworkSettings, proxies: &[Network]) -> Lines {
        let uncounted = settings.uncounted.iter().chain(proxies).copied().collect();
        Lines { open: Mutex::default(), most: settings.connections_per_address, uncounted }
    }

    /// A connection from `address`; `None` when there are too many of them.
    pub fn open(self: &Arc<Lines>, address: IpAddr) -> Option<Line> {
        if self.most == 0 || self.uncounted.iter().any(|network| network.contains(address)) {
            return Some(Line(None));
        }
        let address = household(address.to_canonical());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Line(Some((Arc::clone(self), address))))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Some((lines, address)) = &self.0 else { return };
        let mut open = lines.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(*address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(most: usize) -> Arc<Lines> {
        let settings = NetworkSettings { connections_per_address: most, ..NetworkSettings::default() };
        Arc::new(Lines::new(&settings, &["10.0.0.1".parse().unwrap()]))
    }

    #[test]
    fn an_address_has_so_many_lines_and_gets_them_back() {
        let lines = lines(2);
        let open = |text: &str| lines.open(text.parse().unwrap());

        let (first, second) = (open("192.0.2.1"), open("192.0.2.1"));

        assert!(first.is_some() && second.is_some());
        assert!(open("192.0.2.1").is_none() && open("::ffff:192.0.2.1").is_none());
        let other = open("192.0.2.2");
        assert!(other.is_some());
        drop(first);
        assert!(open("192.0.2.1").is_some());
        drop((second, other));
        assert!(lines.open.lock().unwrap().is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn proxies_and_this_machine_are_not_counted() {
        let lines = lines(1);
        for address in ["10.0.0.1", "127.0.0.1", "::1"] {
            let open: Vec<_> = (0..10).map(|_| lines.open(address.parse().unwrap())).collect();
            assert!(open.iter().all(Option::is_some), "{address}");
        }
    }
}
