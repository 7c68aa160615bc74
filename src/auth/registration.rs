//! Apps that register themselves, and look after what is registered of them.
//!
//! What this server does not know of the metadata it leaves out, of what it says it registered, too. An app that nobody
//! vouches for gets no more by that than an address: people read that it is not verified, and may leave out any of its scopes.
//!
//! Spec: RFC 7591, RFC 7592; SMART App Launch 2.2 app-launch.html#register-app-with-ehr

use serde_json::{Map, Value, json};

use crate::access::ScopeSet;
use crate::auth::{AuthError, Endpoints};
use crate::config::OutboundSettings;
use crate::interactions::Engine;
use crate::records::{self, Name, RecordError, Registered, Registrar, Registration, Secret};
use crate::store::{Client, ClientKind, SecretHash, Store, StoreError};

pub use crate::records::LOGO_BYTES;

/// By which grants an app with these metadata may get tokens.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What an app says of itself.
#[derive(Clone, Debug)]
pub struct Metadata(Registration);

impl Metadata {
    /// Reads what this server knows of `said`.
    pub fn read(said: &Value) -> Result<Metadata, AuthError> {
        let said = Members(said);
        let (kind, has_keys) = kind(&said)?;
        let grants = said.texts("grant_types")?;
        let is_device = check_grants(&grants)?;
        if said.texts("response_types")?.iter().any(|response| response != "code") {
            return Err(unfit("response_types", "this server knows code only"));
        }
        let name = said.text("client_name")?.ok_or_else(|| unfit("client_name", "people must know it by a name"))?;
        let name: Name = name
            .parse()
            .map_err(|_| unfit("client_name", "it has 1 to 200 characters on a line, all of which can be seen"))?;
        // Substituting what is not known is RFC 7591's own way; what was registered is in the answer.
        let scopes = ScopeSet::parse(said.text("scope")?.unwrap_or_default()).to_string();
        let (jwks, jwks_uri) = (said.object("jwks")?, said.owned("jwks_uri")?);
        if has_keys != (jwks.is_some() || jwks_uri.is_some()) {
            let problem = "keys belong to private_key_jwt: send jwks or jwks_uri with that, and with nothing else";
            return Err(unfit("token_endpoint_auth_method", problem));
        }
        Ok(Metadata(Registration {
            policy_uri: said.owned("policy_uri")?,
            tos_uri: said.owned("tos_uri")?,
            contacts: said.texts("contacts")?,
            redirect_uris: said.texts("redirect_uris")?,
            launch_uri: said.owned("initiate_login_uri")?,
            jwks,
            jwks_uri,
            optional_scopes: scopes.clone(),
            is_device,
            logo_uri: said.owned("logo_uri")?,
            ..Registration::of(name, kind, &scopes)
        }))
    }

    /// Where its logo is, which is to be fetched.
    pub fn logo_uri(&self) -> Option<&str> {
        self.0.logo_uri.as_deref()
    }

    /// The same with its logo.
    pub fn with_logo(mut self, bytes: Vec<u8>) -> Result<Metadata, AuthError> {
        let logo = records::logo(bytes).map_err(|error| unfit("logo_uri", &error.to_string()))?;
        self.0.logo = Some(logo);
        Ok(self)
    }
}

/// Members of the metadata, each of which is of one type.
struct Members<'a>(&'a Value);

impl Members<'_> {
    fn present(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<&str>, AuthError> {
        let text = |value: &'_ Value| value.as_str().is_none().then(|| unfit(name, "it must be a text"));
        match self.present(name) {
            Some(value) => text(value).map_or(Ok(value.as_str()), Err),
            None => Ok(None),
        }
    }

    fn owned(&self, name: &str) -> Result<Option<String>, AuthError> {
        Ok(self.text(name)?.map(str::to_owned))
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, AuthError> {
        let Some(value) = self.present(name) else { return Ok(Vec::new()) };
        let unread = || unfit(name, "it must be an array of texts");
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(unread);
        value.as_array().ok_or_else(unread)?.iter().map(text).collect()
    }

    fn object(&self, name: &str) -> Result<Option<String>, AuthError> {
        match self.present(name) {
            Some(value) if value.is_object() => Ok(Some(value.to_string())),
            Some(_) => Err(unfit(name, "it must be an object")),
            None => Ok(None),
        }
    }
}

/// How it shows who it is, and whether that is by keys.
fn kind(said: &Members<'_>) -> Result<(ClientKind, bool), AuthError> {
    match said.text("token_endpoint_auth_method")? {
        Some("none") => Ok((ClientKind::Public, false)),
        // RFC 7591 section 2: the default.
        None | Some("client_secret_basic" | "client_secret_post") => Ok((ClientKind::Confidential, false)),
        Some("private_key_jwt") => Ok((ClientKind::Confidential, true)),
        Some(_) => Err(unfit(
            "token_endpoint_auth_method",
            "use none, client_secret_basic, client_secret_post or private_key_jwt",
        )),
    }
}

/// Refuses grants that an app can't have; tells whether it is a device.
fn check_grants(grants: &[String]) -> Result<bool, AuthError> {
    for grant in grants {
        match grant.as_str() {
            "authorization_code" | "refresh_token" | DEVICE_GRANT => {}
            "client_credentials" => {
                return Err(unfit("grant_types", "a system that acts for nobody is registered by the operator"));
            }
            _ => {
                return Err(unfit("grant_types", "use authorization_code, refresh_token or the grant of device codes"));
            }
        }
    }
    Ok(grants.iter().any(|grant| grant == DEVICE_GRANT))
}

fn unfit(member: &str, problem: &str) -> AuthError {
    AuthError::InvalidClientMetadata(format!("{member}: {problem}"))
}

/// Why a registration is refused, as RFC 7591 calls it.
fn refused(error: RecordError) -> AuthError {
    let text = error.to_string();
    match error {
        RecordError::UnfitUri { member: "redirect_uris", .. }
        | RecordError::UnfitClient { member: "redirect_uris", .. } => AuthError::InvalidRedirectUri(text),
        RecordError::UnfitUri { member, .. } | RecordError::UnfitClient { member, .. } => unfit(member, &text),
        RecordError::UnknownScope(..)
        | RecordError::NoScope(_)
        | RecordError::UnfitScope { .. }
        | RecordError::UnfitSearch(_) => unfit("scope", &text),
        RecordError::UnfitJwks(_) => unfit("jwks", &text),
        RecordError::NotInvited => {
            AuthError::InvalidToken("this server registers apps by invitation: the token is none, is over, or was used")
        }
        RecordError::Store(error) => AuthError::Store(error),
        _ => AuthError::Store(StoreError::Unreachable(text)),
    }
}

/// Registers an app; by an invitation where the server asks for one. Answers as [`described`], with what is shown once.
pub fn register(
    engine: &Engine,
    endpoints: &Endpoints,
    outbound: &OutboundSettings,
    said: Metadata,
    invitation: Option<SecretHash>,
) -> Result<Value, AuthError> {
    let mut new = said.0.prepare(Registrar::Itself, outbound).map_err(refused)?;
    new.check_searches(engine).map_err(refused)?;
    let token = Secret::random().map_err(refused)?;
    new.let_change_by(token.hash());
    let registered = engine.store.write(move |tx| {
        let registered = records::register(tx, &new, Registrar::Itself)?;
        if let Some(invitation) = &invitation {
            records::accept_invite(tx, invitation, &registered.client.id)?;
        }
        Ok::<_, RecordError>(registered)
    });
    let registered = registered.map_err(refused)?;
    let mut told = answered(&registered, endpoints);
    told["registration_access_token"] = json!(token.as_str());
    Ok(told)
}

/// The client that may be looked after by this token. All who may not are answered alike.
pub fn by_token(store: &Store, client_id: &str, token: &SecretHash) -> Result<Client, AuthError> {
    let client = store.read_one(|reader| reader.client(client_id).map_err(AuthError::from))?;
    client
        .filter(|client| client.registration_hash == Some(*token) && client.suspended_us.is_none())
        .ok_or(AuthError::InvalidToken("the token is not that of this registration"))
}

/// Replaces what is registered of an app by what it says now.
///
/// RFC 7592 section 2.2: members that are left out are taken for nothing.
pub fn change(
    engine: &Engine,
    endpoints: &Endpoints,
    outbound: &OutboundSettings,
    client: &Client,
    said: Metadata,
) -> Result<Value, AuthError> {
    let changed = said.0.prepare_change(client, outbound).map_err(refused)?;
    changed.check_searches(engine).map_err(refused)?;
    let changed = engine.store.write(move |tx| records::change(tx, &changed, Registrar::Itself)).map_err(refused)?;
    Ok(answered(&changed, endpoints))
}

/// Ends a registration: what people let the app do is over, its tokens are worth nothing.
pub fn remove(store: &Store, client: &Client) -> Result<(), AuthError> {
    let id = client.id.clone();
    store.write(move |tx| records::remove(tx, &id, Registrar::Itself)).map_err(refused)
}

fn answered(registered: &Registered, endpoints: &Endpoints) -> Value {
    let mut told = described(&registered.client, endpoints);
    if let Some(secret) = &registered.secret {
        told["client_secret"] = json!(secret.as_str());
    }
    told
}

/// What is registered of an app. Of its secret no more is kept than a hash.
pub fn described(client: &Client, endpoints: &Endpoints) -> Value {
    let has_keys = client.jwks.is_some() || client.jwks_uri.is_some();
    let method = match client.kind {
        ClientKind::Public => "none",
        _ if has_keys => "private_key_jwt",
        _ => "client_secret_basic",
    };
    let grants = ["authorization_code", "refresh_token", DEVICE_GRANT];
    let has_codes = !client.redirect_uris.is_empty();
    let grants: Vec<&str> = grants
        .into_iter()
        .filter(|grant| match *grant {
            "authorization_code" => has_codes,
            DEVICE_GRANT => client.is_device,
            _ => true,
        })
        .collect();
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    tell("client_id", json!(client.id));
    tell("client_id_issued_at", json!(client.created_us / 1_000_000));
    tell("registration_client_uri", json!(format!("{}/{}", endpoints.registration(), client.id)));
    tell("client_name", json!(client.name));
    tell("redirect_uris", json!(client.redirect_uris));
    tell("token_endpoint_auth_method", json!(method));
    tell("grant_types", json!(grants));
    tell("response_types", if has_codes { json!(["code"]) } else { json!([]) });
    tell("scope", json!(client.scopes));
    if client.secret_hash.is_some() {
        // RFC 7591 section 3.2.1: 0 if it will not expire.
        tell("client_secret_expires_at", json!(0));
    }
    if !client.contacts.is_empty() {
        tell("contacts", json!(client.contacts));
    }
    let texts = [
        ("logo_uri", &client.logo_uri),
        ("policy_uri", &client.policy_uri),
        ("tos_uri", &client.tos_uri),
        ("initiate_login_uri", &client.launch_uri),
        ("jwks_uri", &client.jwks_uri),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            tell(name, json!(text));
        }
    }
    if let Some(jwks) = client.jwks.as_deref().and_then(|jwks| serde_json::from_str(jwks).ok()) {
        tell("jwks", jwks);
    }
    told.into()
}

/// Whether a change is about the client that it is sent to (RFC 7592 section 2.2).
pub fn names(said: &Value, client: &Client) -> Result<(), AuthError> {
    let is_so = said.get("client_id").and_then(Value::as_str) == Some(&client.id);
    let secret = said.get("client_secret").and_then(Value::as_str);
    let is_secret = secret.is_none_or(|secret| client.secret_hash == Some(SecretHash::of(secret.as_bytes())));
    match (is_so, is_secret) {
        (true, true) => Ok(()),
        (false, _) => Err(AuthError::InvalidRequest("client_id must be that of the address".to_owned())),
        (true, false) => {
            Err(AuthError::InvalidRequest("client_secret is not the present one: leave it out".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: impl FnOnce(&mut Value)) -> Result<Registration, AuthError> {
        let mut said = json!({
            "client_name": "Growth", "redirect_uris": ["https://app.example/done"], "scope": "patient/*.rs unheard-of",
        });
        change(&mut said);
        Metadata::read(&said).map(|said| said.0)
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let said = read(|said| {
            said["software_id"] = json!("x");
            said["client_name#de"] = json!("Wachstum");
            said["tos_uri"] = Value::Null;
        });

        let said = said.unwrap();
        assert_eq!((said.kind, said.scopes.as_str(), said.tos_uri), (ClientKind::Confidential, "patient/*.rs", None));
        assert_eq!(said.optional_scopes, said.scopes, "people may leave out any");
    }

    #[test]
    fn what_can_not_be_is_refused_by_its_name() {
        type Change = fn(&mut Value);
        let table: [(Change, &str); 11] = [
            (|said| said["client_name"] = json!(""), "client_name"),
            (|said| said["client_name"] = json!(7), "client_name"),
            (|said| said["redirect_uris"] = json!("https://app.example/done"), "redirect_uris"),
            (|said| said["contacts"] = json!([1]), "contacts"),
            (|said| said["response_types"] = json!(["token"]), "response_types"),
            (|said| said["grant_types"] = json!(["implicit"]), "grant_types"),
            (|said| said["grant_types"] = json!(["client_credentials"]), "grant_types"),
            (|said| said["token_endpoint_auth_method"] = json!("client_secret_jwt"), "token_endpoint_auth_method"),
            (|said| said["token_endpoint_auth_method"] = json!("private_key_jwt"), "token_endpoint_auth_method"),
            (|said| said["jwks_uri"] = json!("https://app.example/keys"), "token_endpoint_auth_method"),
            (|said| said["jwks"] = json!("{}"), "jwks"),
        ];
        for (change, member) in table {
            let told = read(change).unwrap_err();
            assert!(matches!(&told, AuthError::InvalidClientMetadata(text) if text.starts_with(member)), "{told:?}");
        }
    }
}
