//! Devices without a browser, such as scales: somebody lets them in on another device, by a code that they show.
//!
//! What is asked and granted is what an app asks for at the authorization endpoint. The authorization code that comes of it
//! never leaves this server: the device gets its tokens by the code that it has.
//!
//! Spec: RFC 8628

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

use crate::access::{Context, ScopeSet, Word};
use crate::auth::authorize::Prompt;
use crate::auth::code::{Ends, first_tokens, hand_out};
use crate::auth::issue::Tokens;
use crate::auth::{AuthError, AuthServer, AuthorizeRequest, Form, Issued};
use crate::records::{RecordError, Secret};
use crate::store::{Account, AuthorizationCode, Client, DeviceCode, Seal, SecretHash, Store, StoreError};

/// The grant by which a device gets its tokens.
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// A code counts so long, in seconds.
const LIVES_S: i64 = 600;
/// A device asks no more often, in seconds; and so much less often each time when it does.
const INTERVAL_S: i64 = 5;
/// RFC 8628 section 6.1: letters that don't make words, and that nobody takes for one another.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE_LETTERS: usize = 8;
/// So often somebody may type the code of one device.
const MOST_TRIES: i64 = 5;
/// Two devices with one code are so unlikely that more attempts than this say that something else is wrong.
const MOST_DRAWS: usize = 8;

/// Begins to wait for somebody to let a device in. Gives the answer of the endpoint.
pub fn begin(
    store: &Store,
    server: &AuthServer,
    client: &Client,
    form: &Form,
    now_us: i64,
) -> Result<Value, AuthError> {
    if !client.is_device {
        return Err(AuthError::UnauthorizedClient("this app is not registered as a device"));
    }
    let asked = ScopeSet::parse(form.need("scope")?);
    let scopes = asked.intersection(&ScopeSet::parse(&client.scopes));
    if scopes.is_empty() || !scopes.in_context(Context::System).is_empty() || scopes.has(Word::Launch) {
        let text = "none of the scopes is one that this device has registered; launch is for apps that an EHR launches";
        return Err(AuthError::InvalidScope(text.to_owned()));
    }
    for _ in 0..MOST_DRAWS {
        let code = Secret::random().map_err(AuthError::from)?;
        let kept = DeviceCode {
            hash: code.hash(),
            user_code: draw()?,
            client: client.id.clone(),
            scopes: scopes.to_string(),
            expires_us: now_us + LIVES_S * 1_000_000,
            interval_s: INTERVAL_S,
            polled_us: None,
            tries: 0,
            code: None,
            denied_us: None,
        };
        let shown = written(&kept.user_code);
        if store.write(move |tx| tx.add_device_code(&kept).map_err(AuthError::from))? {
            let page = server.endpoints.device_page();
            return Ok(json!({
                "device_code": code.as_str(),
                "user_code": shown,
                "verification_uri": page,
                "verification_uri_complete": format!("{page}?user_code={shown}"),
                "expires_in": LIVES_S,
                "interval": INTERVAL_S,
            }));
        }
    }
    Err(StoreError::Unreachable("no code for a device is free".to_owned()).into())
}

/// Letters that nobody can guess.
fn draw() -> Result<String, AuthError> {
    let mut code = String::with_capacity(USER_CODE_LETTERS);
    while code.len() < USER_CODE_LETTERS {
        let mut bytes = [0; 2 * USER_CODE_LETTERS];
        getrandom::fill(&mut bytes).map_err(|error| RecordError::NoRandomness(error.to_string()))?;
        // What is above the last multiple of 20 would make the first letters likelier than the others.
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < 240);
        code.extend(fair.take(USER_CODE_LETTERS - code.len()).map(|byte| char::from(LETTERS[byte % LETTERS.len()])));
    }
    Ok(code)
}

/// As a device shows it: in two halves.
fn written(user_code: &str) -> String {
    let (left, right) = user_code.split_at(USER_CODE_LETTERS / 2);
    format!("{left}-{right}")
}

/// What somebody typed, as it is kept; `None` when no device shows that. Small letters do, and so does anything between them.
pub fn typed(text: &str) -> Option<String> {
    let letters: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect();
    let is_code = letters.len() == USER_CODE_LETTERS && letters.bytes().all(|letter| LETTERS.contains(&letter));
    is_code.then_some(letters)
}

/// A device that somebody may let in.
#[derive(Clone, Debug)]
pub struct Waiting {
    hash: SecretHash,
    /// The code as it shows it.
    pub user_code: String,
    /// What it asks for.
    pub request: AuthorizeRequest,
}

impl Waiting {
    /// Says that `session` has typed the code, for the form in which somebody then decides. Who can't make it can't decide about a
    /// device by guessing its code.
    pub fn sealed(&self, seal: Seal, session: &SecretHash) -> String {
        URL_SAFE_NO_PAD.encode(seal.close(&purpose(session), self.user_code.as_bytes()))
    }
}

fn purpose(session: &SecretHash) -> Vec<u8> {
    [b"device typed\n".as_slice(), session.as_bytes()].concat()
}

/// The device that shows `user_code`, if it still waits. This counts as one of the times that the code may be typed.
pub fn typed_now(
    store: &Store,
    server: &AuthServer,
    user_code: &str,
    now_us: i64,
) -> Result<Option<Waiting>, AuthError> {
    let Some(waiting) = waiting(store, server, user_code, now_us)? else { return Ok(None) };
    let hash = waiting.hash;
    let may_try = store.write(move |tx| tx.try_device_code(&hash, MOST_TRIES).map_err(AuthError::from))?;
    Ok(may_try.then_some(waiting))
}

/// The device whose code `session` has typed before, by what [`Waiting::sealed`] made of that, if it still waits.
pub fn typed_before(
    store: &Store,
    server: &AuthServer,
    sealed: &str,
    session: &SecretHash,
    now_us: i64,
) -> Result<Option<Waiting>, AuthError> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok().and_then(|bytes| store.seal().open(&purpose(session), &bytes));
    let Some(user_code) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else { return Ok(None) };
    waiting(store, server, &user_code, now_us)
}

fn waiting(store: &Store, server: &AuthServer, user_code: &str, now_us: i64) -> Result<Option<Waiting>, AuthError> {
    let Some(user_code) = typed(user_code) else { return Ok(None) };
    let found = store.read(|reader| {
        let device = reader.device_code_shown(&user_code)?;
        let client = device.as_ref().map(|device| reader.client(&device.client)).transpose()?.flatten();
        Ok::<_, AuthError>(device.zip(client))
    })?;
    let is_open =
        |device: &DeviceCode| now_us < device.expires_us && device.code.is_none() && device.denied_us.is_none();
    let found = found.filter(|(device, client)| is_open(device) && client.suspended_us.is_none());
    let Some((device, client)) = found else { return Ok(None) };
    let request = AuthorizeRequest {
        scopes: ScopeSet::parse(&device.scopes).intersection(&ScopeSet::parse(&client.scopes)),
        client,
        redirect_uri: server.endpoints.device_page(),
        state: None,
        // No verifier has it as its digest: the code is of no use elsewhere.
        challenge: String::new(),
        nonce: None,
        launch: None,
        // Whoever typed a code is asked, also if they let such a device in before: it may be somebody else's.
        prompt: Prompt { consent: true, ..Prompt::default() },
        max_age_s: None,
        query: String::new(),
    };
    Ok(Some(Waiting { hash: device.hash, user_code: written(&device.user_code), request }))
}

/// Lets a device in by what came of the consent: the address that an app would be sent to. False when that was decided
/// meanwhile.
pub fn let_in(store: &Store, waiting: &Waiting, address: &str) -> Result<bool, AuthError> {
    let url = Url::parse(address).map_err(|_| StoreError::Damaged("the address with a code".to_owned()))?;
    let code = url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| SecretHash::of(code.as_bytes()));
    let code = code.ok_or_else(|| StoreError::Damaged("an address without its code".to_owned()))?;
    let hash = waiting.hash;
    store.write(move |tx| tx.settle_device_code(&hash, Some(&code)).map_err(AuthError::from))
}

/// Does not let a device in.
pub fn keep_out(store: &Store, waiting: &Waiting) -> Result<(), AuthError> {
    let hash = waiting.hash;
    store.write(move |tx| tx.settle_device_code(&hash, None).map(drop).map_err(AuthError::from))
}

/// What a device is told when it asks for its tokens.
enum Polled {
    Tokens(Box<(AuthorizationCode, Account, Tokens)>),
    Not(AuthError),
}

/// Exchanges the code of a device for tokens, once somebody has let it in.
pub fn redeem(
    store: &Store,
    server: &AuthServer,
    client: &Client,
    form: &Form,
    now_us: i64,
) -> Result<Issued, AuthError> {
    let hash = SecretHash::of(form.need("device_code")?.as_bytes());
    let known = store.read_one(|reader| reader.device_code(&hash).map_err(AuthError::from))?;
    let known = known.filter(|device| device.client == client.id);
    if known.is_none() {
        return Err(AuthError::InvalidGrant("the device_code is not one that was given to this client"));
    }
    // What is noted of a question stays noted, whatever its answer.
    let polled = store.write(move |tx| {
        let device = tx.device_code(&hash)?.ok_or(AuthError::InvalidGrant("the device_code is over"))?;
        if now_us >= device.expires_us {
            return Ok(Polled::Not(AuthError::ExpiredToken));
        }
        if device.denied_us.is_some() {
            return Ok(Polled::Not(AuthError::AccessDenied));
        }
        let soonest_us = device.polled_us.map_or(i64::MIN, |polled_us| polled_us + device.interval_s * 1_000_000);
        let is_early = now_us < soonest_us;
        let interval_s = if is_early { device.interval_s + INTERVAL_S } else { device.interval_s };
        tx.note_device_poll(&hash, now_us, interval_s)?;
        if is_early {
            return Ok(Polled::Not(AuthError::SlowDown));
        }
        let Some(code) = device.code else { return Ok(Polled::Not(AuthError::AuthorizationPending)) };
        let code = tx.authorization_code(&code)?.filter(|code| code.used_us.is_none());
        let used = AuthError::InvalidGrant("the device_code was used before");
        let Some(code) = code else { return Ok(Polled::Not(used)) };
        if !tx.use_authorization_code(&code.hash)? {
            return Ok(Polled::Not(used));
        }
        let (tokens, account) = first_tokens(tx, &code, Ends::WithItsAccess, now_us)?;
        Ok::<_, AuthError>(Polled::Tokens(Box::new((code, account, tokens))))
    })?;
    match polled {
        Polled::Not(error) => Err(error),
        Polled::Tokens(polled) => {
            let (code, account, tokens) = *polled;
            hand_out(store, server, client, &code, &account, &tokens, now_us)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_eight_letters_that_nobody_takes_for_others() {
        let (one, other) = (draw().unwrap(), draw().unwrap());

        assert_ne!(one, other);
        assert!(one.len() == 8 && one.bytes().all(|letter| LETTERS.contains(&letter)), "{one}");
        assert_eq!(written("BCDFGHJK"), "BCDF-GHJK");
    }

    #[test]
    fn what_is_typed_is_read_as_people_type() {
        for right in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "BCDF_GHJK"] {
            assert_eq!(typed(right).as_deref(), Some("BCDFGHJK"), "{right}");
        }
        for wrong in ["", "BCDF-GHJ", "BCDF-GHJKL", "ABCD-EFGH", "BCDF-GHJ1", "ßCDFGHJK"] {
            assert_eq!(typed(wrong), None, "{wrong}");
        }
    }
}
