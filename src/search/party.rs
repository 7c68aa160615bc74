//! Who asks, as Consents name them.
//!
//! Spec: R4 consent-definitions.html#Consent.provision.actor

use crate::fhir::ResourceKey;
use crate::store::Hasher;

/// Whoever asks, by all that a Consent may call them. What Consents deny is asked of each statement for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The numbers of all names, as [`actor_of_user`] and [`actor_of_client`] give them.
    pub actors: Vec<i64>,
    /// Whether Consents themselves are kept from them by none: whoever may write those of all records must be able to end them.
    pub keeps_consents: bool,
}

/// What is to be done with a resource, as Consents tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Read = 1,
    Write = 2,
}

/// The number of a person, who is a resource of this server.
pub fn actor_of_user(key: &ResourceKey, hasher: &Hasher) -> i64 {
    hasher.key(key)
}

/// The number of an app or a system, by the id of its registration.
pub fn actor_of_client(id: &str, hasher: &Hasher) -> i64 {
    // No key of a resource has a space.
    hasher.text(&format!("client {id}"))
}
