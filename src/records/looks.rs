//! What people decide by when an app asks to be let in.

use crate::store::{ClientFacts, Logo, SecretHash};

/// A digest of what people decide by: the picture itself, since its address says nothing of it, and not keys or contacts.
pub(super) fn to_people(facts: &ClientFacts, logo: Option<&Logo>) -> SecretHash {
    let picture = logo.map(|logo| SecretHash::of(&logo.bytes));
    let names = (&facts.name, &facts.publisher, &facts.logo_uri, picture.as_ref().map(SecretHash::as_bytes));
    let pages = (&facts.policy_uri, &facts.tos_uri);
    let places = (&facts.redirect_uris, &facts.launch_uri);
    let wishes = (&facts.scopes, &facts.optional_scopes, &facts.reasons);
    // As it is written for programmers no two differ in their bounds alone.
    let text = format!("{names:?} {pages:?} {places:?} {wishes:?} {:?} {}", facts.kind, facts.is_device);
    SecretHash::of(text.as_bytes())
}
