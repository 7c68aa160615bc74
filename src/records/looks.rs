//! What people, and the operator for them, decide by when an app asks to be let in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::records::RecordError;
use crate::records::clients::known_client;
use crate::store::{Client, ClientFacts, Logo, Reader, SecretHash, Tx};

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

/// A digest of what the operator decides by: what people do, and whom to write to.
pub fn looks(reader: &mut Reader<'_>, client: &Client) -> Result<String, RecordError> {
    let logo = reader.client_logo(&client.id)?;
    let to_people = to_people(&client.facts, logo.as_ref());
    let text = format!("{:?} {:?}", to_people.as_bytes(), client.contacts);
    Ok(URL_SAFE_NO_PAD.encode(SecretHash::of(text.as_bytes()).as_bytes()))
}

/// Refuses to go on about a client that is not any more what [`looks`] made `seen` of.
pub fn must_look_so(tx: &mut Tx<'_>, id: &str, seen: &str) -> Result<(), RecordError> {
    tx.lock_access()?;
    let client = known_client(tx, id)?;
    if looks(tx, &client)? == seen { Ok(()) } else { Err(RecordError::ChangedMeanwhile) }
}
