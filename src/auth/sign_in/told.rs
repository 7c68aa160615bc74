//! Telling of sign-ins and changes of credentials: to the audit trail, and to the owner of the account.
//!
//! Neither is told a password, a code or a key.
//!
//! Spec: OWASP ASVS 5.0 sections 6.3.5 and 16.3; IHE BALP 1.1

use std::sync::Arc;

use crate::access::{ACCOUNT_SYSTEM, Act, Agent, Deed};
use crate::audit::{Outcome, tell_of_person};
use crate::auth::sign_in::Whence;
use crate::clock;
use crate::store::{Account, Happening, NewHappening, StoreError, Tx};

/// What kind of credential an event is about, as an identifier.
const CREDENTIAL_SYSTEM: &str = "urn:emberwell:credential";
/// HTTP's status for whoever has not shown who they are.
const UNAUTHORIZED: u16 = 401;

/// Tells that somebody signed in, and notes from where.
pub fn signed_in(tx: &mut Tx<'_>, account: &Account, factors: &str, whence: &Whence) -> Result<(), StoreError> {
    let (network, device) = (whence.network_mark(tx.hasher()), whence.device_mark(tx.hasher()));
    let is_known = tx.knows_place(Some(account.id), device)?;
    tx.note_place(account.id, network)?;
    tx.note_place(account.id, device)?;
    let what = if is_known { Happening::SignedIn } else { Happening::SignedInOnNewDevice };
    happened(tx, account.id, what, None, whence)?;
    let act = act(Some(account), whence);
    let entities = factors.split(' ').map(|factor| format!("{CREDENTIAL_SYSTEM}|{factor}")).collect();
    tell_of_person(tx, &act, Deed::SignIn, whence.network(), Outcome::Done, entities)
}

/// Tells that somebody tried to sign in, and was refused. Of an account that is not there it is told in the same way.
pub(super) fn refused(
    tx: &mut Tx<'_>,
    account: Option<i64>,
    what: Happening,
    factor: &str,
    whence: &Whence,
) -> Result<(), StoreError> {
    let (address, agent) = (whence.network(), Some(whence.agent.clone()));
    tx.add_happening(&NewHappening { account, what, detail: None, address, agent })?;
    // Who it was that tried is not known.
    let act = act(None, whence);
    let of_account = account.map(|account| format!("{ACCOUNT_SYSTEM}|{account}"));
    let entities = of_account.into_iter().chain([format!("{CREDENTIAL_SYSTEM}|{factor}")]).collect();
    tell_of_person(tx, &act, Deed::SignIn, whence.network(), Outcome::Refused(UNAUTHORIZED), entities)
}

/// Tells that somebody changed how they sign in. `detail` is for the owner alone.
pub fn changed(
    tx: &mut Tx<'_>,
    account: &Account,
    what: Happening,
    detail: Option<&str>,
    whence: &Whence,
) -> Result<(), StoreError> {
    happened(tx, account.id, what, detail, whence)?;
    let credential = match what {
        Happening::PasskeyAdded | Happening::PasskeyRemoved => "passkey",
        Happening::AuthenticatorOn | Happening::AuthenticatorOff => "authenticator",
        Happening::RecoveryCodesMade | Happening::RecoveryCodeUsed => "recovery-codes",
        Happening::SessionEnded | Happening::OthersEnded => "sessions",
        Happening::ProviderLinked | Happening::ProviderUnlinked => "provider",
        Happening::PasswordChanged
        | Happening::PasswordSetByOperator
        | Happening::AccountMade
        | Happening::SignedIn
        | Happening::SignedInOnNewDevice
        | Happening::SignInRefused
        | Happening::SecondFactorRefused => "password",
    };
    let entities = vec![format!("{ACCOUNT_SYSTEM}|{}", account.id), format!("{CREDENTIAL_SYSTEM}|{credential}")];
    let act = act(Some(account), whence);
    tell_of_person(tx, &act, Deed::ChangeCredentials, whence.network(), Outcome::Done, entities)
}

fn happened(
    tx: &mut Tx<'_>,
    account: i64,
    what: Happening,
    detail: Option<&str>,
    whence: &Whence,
) -> Result<(), StoreError> {
    let (address, agent) = (whence.network(), Some(whence.agent.clone()));
    tx.add_happening(&NewHappening { account: Some(account), what, detail: detail.map(str::to_owned), address, agent })
}

fn act(account: Option<&Account>, whence: &Whence) -> Act {
    let agent = Agent {
        account: account.map(|account| account.id),
        fhir_user: account.and_then(|account| account.fhir_user.clone()),
        ..Agent::default()
    };
    Act::new(Arc::new(agent), Arc::clone(&whence.request), clock::now_us())
}
