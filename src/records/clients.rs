//! Clients: apps and systems that are registered, and what a system is granted with that.

use std::collections::BTreeMap;

use crate::access::{Context, Deed, ScopeSet, check_searches};
use crate::config::OutboundSettings;
use crate::interactions::Engine;
use crate::records::custody::must_be_here;
use crate::records::grants::{COMMAND, known_scopes};
use crate::records::jwks::checked_jwks;
use crate::records::secret::random_id;
use crate::records::uris::{check_jwks_uri, check_launch_uri, check_redirect_uri};
use crate::records::{Grantor, Name, Reason, RecordError, RecordId, Secret, told};
use crate::store::{Client, ClientKind, Grant, GrantLevel, Grantee, Labels, NewClient, NewGrant, Tx};

const APP_EXAMPLE: &str = "patient/Observation.rs";
const BACKEND_EXAMPLE: &str = "system/Observation.rs";

/// What somebody says of a client that they want to register.
#[derive(Clone, Debug)]
pub struct Registration {
    pub name: Name,
    pub kind: ClientKind,
    pub redirect_uris: Vec<String>,
    pub launch_uri: Option<String>,
    /// The text of a JWK Set.
    pub jwks: Option<String>,
    pub jwks_uri: Option<String>,
    /// With spaces between.
    pub scopes: String,
    /// `SCOPE=WHY`
    pub reasons: Vec<String>,
    /// Of a backend client: the one record that it is for; `None` for all.
    pub record: Option<RecordId>,
}

/// A client that can be registered.
#[derive(Clone, Debug)]
pub struct NewRegistration {
    client: NewClient,
    secret: Option<Secret>,
    record: Option<RecordId>,
}

/// A client that is registered.
#[derive(Clone, Debug)]
pub struct Registered {
    pub client: Client,
    /// Of a confidential client without keys. To be shown once: it is not kept.
    pub secret: Option<Secret>,
    /// What a backend client may do from now on; other clients get grants from people.
    pub grant: Option<Grant>,
}

impl Registration {
    /// Checks all that needs no database, and gives the client its id and, if it is to have one, its secret. By `outbound` the server
    /// will ask for its keys.
    pub fn prepare(self, outbound: &OutboundSettings) -> Result<NewRegistration, RecordError> {
        self.check_kind()?;
        self.redirect_uris.iter().try_for_each(|uri| check_redirect_uri(uri))?;
        self.launch_uri.as_deref().map_or(Ok(()), check_launch_uri)?;
        self.jwks_uri.as_deref().map_or(Ok(()), |uri| check_jwks_uri(uri, outbound))?;
        let jwks = self.jwks.as_deref().map(checked_jwks).transpose()?;
        let scopes = self.checked_scopes()?;
        let has_keys = jwks.is_some() || self.jwks_uri.is_some();
        let needs_secret = self.kind == ClientKind::Confidential && !has_keys;
        let secret = if needs_secret { Some(Secret::random()?) } else { None };
        let client = NewClient {
            id: random_id()?,
            name: self.name.as_str().to_owned(),
            kind: self.kind,
            redirect_uris: self.redirect_uris,
            launch_uri: self.launch_uri,
            jwks,
            jwks_uri: self.jwks_uri,
            reasons: reasons(&self.reasons, &self.scopes)?,
            scopes: scopes.to_string(),
            secret_hash: secret.as_ref().map(Secret::hash),
        };
        Ok(NewRegistration { client, secret, record: self.record })
    }

    /// Refuses what a client of this kind lacks, or can't have.
    fn check_kind(&self) -> Result<(), RecordError> {
        let unfit = |problem| Err(RecordError::UnfitClient(problem));
        let has_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return unfit("--jwks and --jwks-uri: the keys are in one place, name only one");
        }
        if self.kind != ClientKind::Backend {
            if self.redirect_uris.is_empty() {
                return unfit("--redirect-uri: people come back to the app there, name at least one");
            }
            if self.record.is_some() {
                return unfit("--record: only a backend client is bound to a record, to an app it is shared by people");
            }
        }
        match self.kind {
            ClientKind::Public if has_keys => {
                unfit("--jwks: a public client can't keep a key, choose --kind confidential")
            }
            ClientKind::Backend if !has_keys => {
                unfit("--jwks or --jwks-uri: a backend client shows who it is by a key, name its public one")
            }
            ClientKind::Backend if !self.redirect_uris.is_empty() => {
                unfit("--redirect-uri: nobody signs in to a backend client, leave it out")
            }
            ClientKind::Backend if self.launch_uri.is_some() => {
                unfit("--launch-uri: nobody launches a backend client, leave it out")
            }
            _ => Ok(()),
        }
    }

    /// The scopes, if each is one that a client of this kind can use.
    fn checked_scopes(&self) -> Result<ScopeSet, RecordError> {
        let is_backend = self.kind == ClientKind::Backend;
        let scopes = known_scopes(&self.scopes, if is_backend { BACKEND_EXAMPLE } else { APP_EXAMPLE })?;
        for text in self.scopes.split_ascii_whitespace() {
            let is_system = !ScopeSet::parse(text).in_context(Context::System).is_empty();
            if is_system != is_backend {
                let remedy = if is_backend {
                    "a backend client acts for nobody, so that its scopes begin with system/"
                } else {
                    "only a backend client has scopes that begin with system/"
                };
                return Err(RecordError::UnfitScope { scope: text.to_owned(), remedy });
            }
        }
        Ok(scopes)
    }
}

impl NewRegistration {
    /// The same, with an id that is known beforehand: for a client that the program brings itself.
    pub fn with_id(mut self, id: &str) -> NewRegistration {
        self.client.id = id.to_owned();
        self
    }

    /// Refuses scopes with a search that `engine` could not apply.
    pub fn check_searches(&self, engine: &Engine) -> Result<(), RecordError> {
        let scopes = ScopeSet::parse(&self.client.scopes);
        check_searches(&scopes, &engine.registry(), &engine.bases).map_err(RecordError::UnfitSearch)
    }
}

/// The reasons by scope. A scope may have a `=` itself, so that it is known by those that there are.
fn reasons(reasons: &[String], scopes: &str) -> Result<BTreeMap<String, String>, RecordError> {
    let reason = |text: &String| {
        let behind = |scope: &str| text.strip_prefix(scope)?.strip_prefix('=');
        let scope = scopes.split_ascii_whitespace().filter(|scope| behind(scope).is_some()).max_by_key(|it| it.len());
        let unfit = || RecordError::UnfitReason(text.chars().take(200).collect());
        let scope = scope.ok_or_else(unfit)?;
        let why: Reason = behind(scope).and_then(|why| why.parse().ok()).ok_or_else(unfit)?;
        Ok((scope.to_owned(), why.as_str().to_owned()))
    };
    reasons.iter().map(reason).collect()
}

/// Registers a client; a backend client gets its grant with that.
pub fn register(tx: &mut Tx<'_>, new: &NewRegistration) -> Result<Registered, RecordError> {
    tx.lock_access()?;
    if let Some(record) = &new.record {
        must_be_here(tx, record)?;
    }
    let client = tx.add_client(&new.client)?;
    told::client(tx, Deed::AddClient, &client.id)?;
    let grant = match client.kind {
        ClientKind::Backend => Some(tx.add_grant(&backend_grant(&client, new.record.as_ref()))?),
        ClientKind::Public | ClientKind::Confidential => None,
    };
    if let Some(grant) = &grant {
        told::grant(tx, Deed::Grant, grant, Grantor::Operator)?;
    }
    Ok(Registered { client, secret: new.secret.clone(), grant })
}

/// What a backend client is granted. One for all records is the operator's own, to exchange and back up by: for that,
/// nothing is left out. One for a single record sees what an app would.
fn backend_grant(client: &Client, record: Option<&RecordId>) -> NewGrant {
    let is_for_all = record.is_none();
    NewGrant {
        patient: record.map(|record| record.0.clone()),
        to: Grantee::Client(client.id.clone()),
        level: GrantLevel::OwnChoice,
        scopes: client.scopes.clone(),
        labels: if is_for_all { Labels::VeryRestricted } else { Labels::Normal },
        sees_history: is_for_all,
        until_us: None,
        reason: Some(
            if is_for_all { "an operator's system client on all records" } else { "an operator's system client" }
                .to_owned(),
        ),
        origin: COMMAND.to_owned(),
        granted_by: None,
    }
}

/// Lets a client get and use no tokens from now on.
pub fn suspend(tx: &mut Tx<'_>, id: &str) -> Result<Client, RecordError> {
    tx.lock_access()?;
    let known = || id.chars().take(64).collect::<String>();
    let client = tx.client(id)?.ok_or_else(|| RecordError::NoClient(known()))?;
    if !tx.suspend_client(id)? {
        return Err(RecordError::SuspendedAlready(known()));
    }
    told::client(tx, Deed::SuspendClient, id)?;
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> Registration {
        Registration {
            name: "Growth".parse().unwrap(),
            kind: ClientKind::Confidential,
            redirect_uris: vec!["https://app.example/done".to_owned()],
            launch_uri: None,
            jwks: None,
            jwks_uri: None,
            scopes: "launch/patient openid patient/Observation.rs?category=vital-signs patient/Patient.read".to_owned(),
            reasons: Vec::new(),
            record: None,
        }
    }

    fn backend() -> Registration {
        Registration {
            kind: ClientKind::Backend,
            redirect_uris: Vec::new(),
            jwks_uri: Some("https://ehr.example/jwks".to_owned()),
            scopes: "system/*.rs system/Observation.c".to_owned(),
            ..app()
        }
    }

    fn prepared(registration: Registration) -> Result<NewRegistration, RecordError> {
        registration.prepare(&OutboundSettings::default())
    }

    fn refusal(registration: Registration) -> String {
        prepared(registration).unwrap_err().to_string()
    }

    #[test]
    fn only_a_confidential_client_without_keys_has_a_secret() {
        let keys = || Some("https://app.example/jwks".to_owned());
        let with_secret = prepared(app()).unwrap();

        assert_eq!(with_secret.client.secret_hash, with_secret.secret.as_ref().map(Secret::hash));
        assert!(with_secret.secret.is_some());
        for other in
            [Registration { kind: ClientKind::Public, ..app() }, Registration { jwks_uri: keys(), ..app() }, backend()]
        {
            let other = prepared(other).unwrap();
            assert!(other.secret.is_none() && other.client.secret_hash.is_none());
        }
        assert_ne!(prepared(app()).unwrap().client.id, prepared(app()).unwrap().client.id);
    }

    #[test]
    fn each_kind_has_what_it_needs_and_nothing_else() {
        let uri = || Some("https://a.example/x".to_owned());
        let uris = || vec!["https://a.example/x".to_owned()];
        let record = || Some("Patient/a".parse().unwrap());
        let table = [
            (Registration { redirect_uris: Vec::new(), ..app() }, "--redirect-uri"),
            (Registration { redirect_uris: vec!["http://a.example/x".to_owned()], ..app() }, "a redirect URI"),
            (Registration { launch_uri: Some("x".to_owned()), ..app() }, "a launch URI"),
            (Registration { record: record(), ..app() }, "--record"),
            (Registration { kind: ClientKind::Public, jwks_uri: uri(), ..app() }, "--kind confidential"),
            (Registration { jwks: Some("{}".to_owned()), ..app() }, "JWK Set"),
            (Registration { jwks: Some("{}".to_owned()), jwks_uri: uri(), ..app() }, "only one"),
            (Registration { jwks_uri: None, ..backend() }, "--jwks or --jwks-uri"),
            (Registration { redirect_uris: uris(), ..backend() }, "--redirect-uri"),
            (Registration { launch_uri: uri(), ..backend() }, "--launch-uri"),
        ];
        for (registration, wanted) in table {
            let told = refusal(registration);
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
    }

    #[test]
    fn each_kind_has_scopes_that_it_can_use() {
        let table = [
            (Registration { scopes: " ".to_owned(), ..app() }, "no scope is named"),
            (
                Registration { scopes: "patient/*.rs patient/Observation.sr".to_owned(), ..app() },
                "patient/Observation.sr",
            ),
            (Registration { scopes: "patient/*.rs system/*.rs".to_owned(), ..app() }, "'system/*.rs' does not fit"),
            (Registration { scopes: "system/*.rs openid".to_owned(), ..backend() }, "'openid' does not fit"),
            (
                Registration { scopes: "system/*.rs patient/*.rs".to_owned(), ..backend() },
                "'patient/*.rs' does not fit",
            ),
        ];
        for (registration, wanted) in table {
            let told = refusal(registration);
            assert!(told.contains(wanted), "{wanted}: {told}");
        }
    }

    #[test]
    fn a_reason_belongs_to_a_scope() {
        let with = |reason: &str| Registration { reasons: vec![reason.to_owned()], ..app() };
        let reasons =
            prepared(with("patient/Observation.rs?category=vital-signs=to draw = curves")).unwrap().client.reasons;

        assert_eq!(
            reasons.into_iter().collect::<Vec<_>>(),
            [("patient/Observation.rs?category=vital-signs".to_owned(), "to draw = curves".to_owned())]
        );
        for wrong in ["patient/Observation.rs=x", "openid=", "openid= ", "openid", "=x", "patient/Patient.rs=x"] {
            assert!(refusal(with(wrong)).contains("SCOPE=WHY"), "{wrong}");
        }
    }
}
