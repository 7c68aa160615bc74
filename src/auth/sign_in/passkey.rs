//! Passkeys: adding one, and signing in by one.
//!
//! The authenticator has made sure itself that it is its owner (user verification), which makes a passkey two factors at once. It
//! tells which account it is for, so that nobody types an address.
//!
//! Spec: Web Authentication Level 3 sections 7.1 and 7.2

use serde_json::{Value, json};
use url::{Host, Url};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Uuid,
    WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use crate::auth::sign_in::{Proven, SignInError, SignIns, Whence, sealed, told};
use crate::clock;
use crate::records::Name;
use crate::store::{Account, Happening, Hasher, NewPasskey, Store, StoreError, StoredPasskey};

/// RFC 8176: a key whose holder was verified.
const PASSKEY: &str = "hwk mfa";
const SIGN_IN: &str = "passkey";
const ADD: &str = "passkey of ";

/// What a page needs to ask a browser for a passkey.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// What goes to `navigator.credentials`, as JSON.
    pub options: String,
    /// What has to come back with the answer.
    pub state: String,
}

/// The checks of passkeys of a server, if browsers have passkeys for its address.
pub(super) struct Passkeys {
    webauthn: Webauthn,
}

impl Passkeys {
    /// For pages below `base_url`. A server on loopback goes by `localhost`: there are no passkeys for bare addresses.
    pub(super) fn of(base_url: &str) -> Option<Passkeys> {
        let mut origin = Url::parse(base_url).ok()?;
        let is_loopback = match origin.host()? {
            Host::Domain(_) => false,
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        if is_loopback {
            origin.set_host(Some("localhost")).ok()?;
        }
        origin.set_path("/");
        let host = origin.domain()?.to_owned();
        let builder = WebauthnBuilder::new(&host, &origin).ok()?;
        let webauthn = builder.rp_name("Emberwell").build().ok()?;
        Some(Passkeys { webauthn })
    }
}

impl SignIns {
    /// Whether browsers have passkeys for the address of this server.
    pub fn has_passkeys(&self) -> bool {
        self.passkeys.is_some()
    }

    /// Asks for a new passkey of the owner of `account`, who is signed in.
    pub fn new_passkey(&self, store: &Store, account: &Account) -> Result<Challenge, SignInError> {
        let there = store.read_one(|reader| reader.passkeys_of(account.id))?;
        let there = there.into_iter().map(|passkey| passkey.credential).collect();
        let handle = handle(store.hasher(), account.id);
        let begun = self.webauthn()?.start_passkey_registration(handle, &account.email, &account.name, Some(there));
        let (options, state) = begun.map_err(unable)?;
        let mut options = as_json(&options)?;
        // The library leaves it open. Without it a passkey can't tell which account it is for.
        let selection = &mut options["publicKey"]["authenticatorSelection"];
        selection["residentKey"] = json!("required");
        selection["requireResidentKey"] = json!(true);
        let state = sealed::close(store.seal(), &format!("{ADD}{}", account.id), "", &state, clock::now_us())?;
        Ok(Challenge { options: options["publicKey"].to_string(), state })
    }

    /// Keeps a new passkey: what the browser answered to `new_passkey`.
    pub fn add_passkey(
        &self,
        store: &Store,
        account: &Account,
        state: &str,
        answer: &str,
        name: &Name,
        whence: &Whence,
    ) -> Result<(), SignInError> {
        let step = format!("{ADD}{}", account.id);
        let opened = sealed::open::<PasskeyRegistration>(store.seal(), &step, "", state, clock::now_us())?;
        let answer: RegisterPublicKeyCredential =
            serde_json::from_str(answer).map_err(|_| SignInError::PasskeyNotAccepted)?;
        let passkey = self.webauthn()?.finish_passkey_registration(&answer, &opened.content).map_err(refused)?;
        let new = NewPasskey {
            credential: passkey.cred_id().to_vec(),
            account: account.id,
            content: as_json(&passkey)?.to_string(),
            name: name.as_str().to_owned(),
        };
        let (account, whence) = (account.clone(), whence.clone());
        store.write(move |tx| {
            opened.use_up(tx)?;
            if !tx.add_passkey(&new)? {
                return Err(SignInError::PasskeyThere);
            }
            told::changed(tx, &account, Happening::PasskeyAdded, Some(&new.name), &whence).map_err(SignInError::from)
        })
    }

    /// Asks for any passkey, in the hand of the visitor with the token `holder`.
    pub fn any_passkey(&self, store: &Store, holder: &str) -> Result<Challenge, SignInError> {
        let (options, state) = self.webauthn()?.start_discoverable_authentication().map_err(unable)?;
        let options = as_json(&options)?;
        let state = sealed::close(store.seal(), SIGN_IN, holder, &state, clock::now_us())?;
        Ok(Challenge { options: options["publicKey"].to_string(), state })
    }

    /// Who has the passkey with which the browser answered to `any_passkey`.
    pub fn by_passkey(
        &self,
        store: &Store,
        state: &str,
        answer: &str,
        holder: &str,
        whence: &Whence,
    ) -> Result<Proven, SignInError> {
        let counted = self.attempts.passkey(whence.household);
        let counted = counted.map_err(|wait_s| SignInError::TooMany { wait_s })?;
        let opened = sealed::open::<DiscoverableAuthentication>(store.seal(), SIGN_IN, holder, state, clock::now_us())?;
        let proven = self.check_passkey(store, answer, opened, whence);
        if proven.is_ok() {
            counted.give_back();
        }
        proven
    }

    fn check_passkey(
        &self,
        store: &Store,
        answer: &str,
        opened: sealed::Opened<DiscoverableAuthentication>,
        whence: &Whence,
    ) -> Result<Proven, SignInError> {
        let webauthn = self.webauthn()?;
        let answer: PublicKeyCredential = serde_json::from_str(answer).map_err(|_| SignInError::PasskeyNotAccepted)?;
        let (whose, credential) = webauthn.identify_discoverable_authentication(&answer).map_err(refused)?;
        let found = store.read(|reader| -> Result<_, SignInError> {
            let Some(kept) = reader.passkey(credential)? else { return Ok(None) };
            let account = reader.account(kept.account)?;
            Ok(account.map(|account| (account, kept)))
        })?;
        let is_able = |(account, _): &(Account, StoredPasskey)| account.disabled_us.is_none();
        let Some((account, kept)) = found.filter(is_able) else {
            return Err(refuse(store, None, whence)?);
        };
        let mut passkey: Passkey = serde_json::from_str(&kept.content)
            .map_err(|error| StoreError::Damaged(format!("a passkey of account {}: {error}", account.id)))?;
        let finished = webauthn.finish_discoverable_authentication_v2(&answer, opened.content.clone(), &passkey);
        let is_right = finished.as_ref().is_ok_and(|result| result.user_verified());
        let Some(result) = finished.ok().filter(|_| is_right && whose == handle(store.hasher(), account.id)) else {
            return Err(refuse(store, Some(account.id), whence)?);
        };
        passkey.update_credential(&result);
        let content = as_json(&passkey)?.to_string();
        store.write(move |tx| {
            opened.use_up(tx)?;
            match tx.use_passkey(&kept.credential, &content)? {
                true => Ok(()),
                false => Err(SignInError::PasskeyNotAccepted),
            }
        })?;
        Ok(Proven { account, factors: PASSKEY.to_owned(), needs_code: false })
    }

    fn webauthn(&self) -> Result<&Webauthn, SignInError> {
        self.passkeys.as_ref().map(|passkeys| &passkeys.webauthn).ok_or(SignInError::NoPasskeys)
    }
}

/// Forgets a passkey of the owner of `account`; false when there is none. The last one of somebody who has no other way to sign in stays.
pub fn remove_passkey(
    store: &Store,
    account: &Account,
    credential: &[u8],
    whence: &Whence,
) -> Result<bool, SignInError> {
    let (account, credential, whence) = (account.clone(), credential.to_vec(), whence.clone());
    store.write(move |tx| {
        let Some(name) = tx.remove_passkey(account.id, &credential)? else { return Ok(false) };
        let has_password = tx.account(account.id)?.is_some_and(|account| account.password.is_some());
        let has_other = has_password || !tx.identities_of(account.id)?.is_empty();
        if !has_other && tx.passkeys_of(account.id)?.is_empty() {
            return Err(SignInError::LastWay);
        }
        told::changed(tx, &account, Happening::PasskeyRemoved, Some(&name), &whence)?;
        Ok(true)
    })
}

/// Tells that a passkey was refused.
fn refuse(store: &Store, account: Option<i64>, whence: &Whence) -> Result<SignInError, SignInError> {
    let whence = whence.clone();
    store.write(move |tx| {
        told::refused(tx, account, Happening::SignInRefused, "passkey", &whence).map_err(SignInError::from)
    })?;
    Ok(SignInError::PasskeyNotAccepted)
}

/// By what an authenticator knows an account: always the same, and it tells nobody else anything.
fn handle(hasher: Hasher, account: i64) -> Uuid {
    let half = |which: &str| hasher.text(&format!("passkeys {which} {account}")).cast_unsigned();
    Uuid::from_u64_pair(half("first"), half("second"))
}

/// Without the library's own words, which speak of its code.
fn refused(error: WebauthnError) -> SignInError {
    tracing::debug!(%error, "A passkey was refused");
    match error {
        WebauthnError::CredentialAlreadyExists => SignInError::PasskeyThere,
        _ => SignInError::PasskeyNotAccepted,
    }
}

fn unable(error: WebauthnError) -> SignInError {
    StoreError::Damaged(format!("no challenge for a passkey: {error}")).into()
}

fn as_json(value: &impl serde::Serialize) -> Result<Value, SignInError> {
    let unfit = |error| StoreError::Damaged(format!("a passkey that can't be written: {error}"));
    Ok(serde_json::to_value(value).map_err(unfit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_names_and_for_loopback() {
        let origin = |base: &str| {
            let passkeys = Passkeys::of(base)?;
            Some(passkeys.webauthn.get_allowed_origins()[0].to_string())
        };

        assert_eq!(origin("https://health.example/fhir").as_deref(), Some("https://health.example/"));
        assert_eq!(origin("https://health.example:8443/r4/fhir").as_deref(), Some("https://health.example:8443/"));
        assert_eq!(origin("http://127.0.0.1:8080/fhir").as_deref(), Some("http://localhost:8080/"));
        assert_eq!(origin("http://[::1]:8080/fhir").as_deref(), Some("http://localhost:8080/"));
        assert_eq!(origin("https://192.0.2.1/fhir"), None);
    }
}
