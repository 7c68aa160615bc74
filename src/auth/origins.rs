//! Which web pages may ask this server from a browser: those of registered apps.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::outbound;
use crate::store::{Client, Store, StoreError};

/// What was found out is relied on so long. A client that is suspended is refused by its token at once; this is only about
/// whether a page may read the refusal.
const RELIED_ON_US: i64 = 1_000_000;

/// The origins of all redirect URIs, as last seen.
#[derive(Default)]
pub struct Origins(Mutex<Option<Seen>>);

struct Seen {
    origins: Arc<HashSet<String>>,
    generation: i64,
    checked_us: i64,
}

impl Origins {
    /// What is known at this moment without asking the database.
    pub fn recent(&self, now_us: i64) -> Option<Arc<HashSet<String>>> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.as_ref().filter(|seen| (seen.checked_us..seen.checked_us + RELIED_ON_US).contains(&now_us))?;
        Some(Arc::clone(&seen.origins))
    }

    /// Asks the database.
    pub fn refresh(&self, store: &Store, now_us: i64) -> Result<Arc<HashSet<String>>, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|seen| seen.generation);
        let (generation, clients) = store.read(|reader| {
            let generation = reader.access_generation()?;
            let clients = if known == Some(generation) { None } else { Some(reader.clients()?) };
            Ok::<_, StoreError>((generation, clients))
        })?;
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let origins = match (&*seen, clients) {
            (Some(seen), None) => Arc::clone(&seen.origins),
            (_, clients) => Arc::new(registered(&clients.unwrap_or_default())),
        };
        *seen = Some(Seen { origins: Arc::clone(&origins), generation, checked_us: now_us });
        Ok(origins)
    }
}

/// The origins of the redirect URIs of these clients, but for those that are suspended. An address of an app's own scheme
/// has no origin.
fn registered(clients: &[Client]) -> HashSet<String> {
    let active = clients.iter().filter(|client| client.suspended_us.is_none());
    active.flat_map(|client| &client.redirect_uris).filter_map(|uri| outbound::origin(uri)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ClientFacts, ClientKind};

    fn client(uris: &[&str], suspended_us: Option<i64>) -> Client {
        let redirect_uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        Client {
            facts: ClientFacts { redirect_uris, ..ClientFacts::of("c", "Growth", ClientKind::Public) },
            previous_secret: None,
            logo_media: None,
            created_us: 0,
            approved_us: Some(0),
            verified_us: None,
            suspended_us,
        }
    }

    #[test]
    fn the_origins_are_those_of_apps_that_run_in_a_browser() {
        let clients = [
            client(&["https://app.example/done", "https://APP.example:443/x", "http://localhost:3000/"], None),
            client(&["org.example.app:/done", "urn:ietf:wg:oauth:2.0:oob", ""], None),
            client(&["https://gone.example/done"], Some(1)),
        ];
        let mut origins: Vec<String> = registered(&clients).into_iter().collect();
        origins.sort();

        assert_eq!(origins, ["http://localhost:3000", "https://app.example"]);
    }
}
