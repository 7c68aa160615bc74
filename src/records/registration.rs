//! What somebody says of a client that they register, and whether it can be so.
//!
//! Spec: RFC 7591 section 2

use std::collections::BTreeMap;

use crate::access::{Context, ScopeSet, check_searches};
use crate::config::OutboundSettings;
use crate::interactions::Engine;
use crate::records::grants::known_scopes;
use crate::records::jwks::checked_jwks;
use crate::records::secret::random_id;
use crate::records::uris::{check_jwks_uri, check_launch_uri, check_page_uri, check_redirect_uri};
use crate::records::{Email, Name, Reason, RecordError, RecordId, Registrar, Secret};
use crate::store::{Client, ClientFacts, ClientKind, Logo, SecretHash};

const APP_EXAMPLE: &str = "patient/Observation.rs";
const BACKEND_EXAMPLE: &str = "system/Observation.rs";
const MOST_URIS: usize = 50;
const MOST_CONTACTS: usize = 20;

/// What somebody says of a client that they want to register.
#[derive(Clone, Debug)]
pub struct Registration {
    pub name: Name,
    pub kind: ClientKind,
    /// Who makes it.
    pub publisher: Option<Name>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub contacts: Vec<String>,
    pub redirect_uris: Vec<String>,
    pub launch_uri: Option<String>,
    /// The text of a JWK Set.
    pub jwks: Option<String>,
    pub jwks_uri: Option<String>,
    /// With spaces between.
    pub scopes: String,
    /// Which of them people may leave out, with spaces between.
    pub optional_scopes: String,
    /// `SCOPE=WHY`
    pub reasons: Vec<String>,
    /// Its requests for authorization need not name the server.
    pub goes_without_aud: bool,
    /// People allow it by a code on another device; it may have nowhere to come back to.
    pub is_device: bool,
    /// Of a backend client: the one record that it is for; `None` for all.
    pub record: Option<RecordId>,
    pub logo_uri: Option<String>,
    pub logo: Option<Logo>,
    /// The accounts that make it.
    pub owners: Vec<Email>,
}

/// A client that can be registered.
#[derive(Clone, Debug)]
pub struct NewRegistration {
    pub(super) facts: ClientFacts,
    pub(super) secret: Option<Secret>,
    pub(super) record: Option<RecordId>,
    pub(super) logo: Option<Logo>,
    pub(super) owners: Vec<Email>,
}

/// A client as it is to be from now on.
#[derive(Clone, Debug)]
pub struct ChangedRegistration {
    pub(super) facts: ClientFacts,
    pub(super) secret: Option<Secret>,
    pub(super) logo: Option<Logo>,
}

impl Registration {
    /// A client of which no more is said.
    pub fn of(name: Name, kind: ClientKind, scopes: &str) -> Registration {
        Registration {
            name,
            kind,
            publisher: None,
            policy_uri: None,
            tos_uri: None,
            contacts: Vec::new(),
            redirect_uris: Vec::new(),
            launch_uri: None,
            jwks: None,
            jwks_uri: None,
            scopes: scopes.to_owned(),
            optional_scopes: String::new(),
            reasons: Vec::new(),
            goes_without_aud: false,
            is_device: false,
            record: None,
            logo_uri: None,
            logo: None,
            owners: Vec::new(),
        }
    }

    /// Checks all that needs no database, and gives the client its id and, if it is to have one, its secret. By `outbound` the server
    /// will ask for its keys.
    pub fn prepare(self, by: Registrar, outbound: &OutboundSettings) -> Result<NewRegistration, RecordError> {
        let mut facts = self.checked(outbound)?;
        facts.id = random_id()?;
        facts.origin = by.origin();
        facts.created_by = by.account();
        let secret = if needs_secret(&facts) { Some(Secret::random()?) } else { None };
        facts.secret_hash = secret.as_ref().map(Secret::hash);
        Ok(NewRegistration { facts, secret, record: self.record, logo: self.logo, owners: self.owners })
    }

    /// The same for a client that is registered: it keeps its id and how it came to be, and its secret if it goes on needing
    /// one.
    pub fn prepare_change(
        self,
        client: &Client,
        outbound: &OutboundSettings,
    ) -> Result<ChangedRegistration, RecordError> {
        let said = self.checked(outbound)?;
        let kept = client.secret_hash.filter(|_| needs_secret(&said));
        let secret = if needs_secret(&said) && kept.is_none() { Some(Secret::random()?) } else { None };
        let facts = ClientFacts {
            id: client.id.clone(),
            origin: client.origin,
            created_by: client.created_by,
            registration_hash: client.registration_hash,
            secret_hash: kept.or(secret.as_ref().map(Secret::hash)),
            ..said
        };
        Ok(ChangedRegistration { facts, secret, logo: self.logo })
    }

    fn checked(&self, outbound: &OutboundSettings) -> Result<ClientFacts, RecordError> {
        self.check_kind()?;
        self.redirect_uris.iter().try_for_each(|uri| check_redirect_uri(uri))?;
        self.launch_uri.as_deref().map_or(Ok(()), check_launch_uri)?;
        self.jwks_uri.as_deref().map_or(Ok(()), |uri| check_jwks_uri(uri, outbound))?;
        self.policy_uri.as_deref().map_or(Ok(()), |uri| check_page_uri(uri, "policy_uri"))?;
        self.tos_uri.as_deref().map_or(Ok(()), |uri| check_page_uri(uri, "tos_uri"))?;
        let scopes = self.checked_scopes()?.to_string();
        Ok(ClientFacts {
            publisher: self.publisher.as_ref().map(|publisher| publisher.as_str().to_owned()),
            logo_uri: self.logo_uri.clone(),
            policy_uri: self.policy_uri.clone(),
            tos_uri: self.tos_uri.clone(),
            contacts: self.contacts.iter().map(|contact| checked_contact(contact)).collect::<Result<_, _>>()?,
            redirect_uris: self.redirect_uris.clone(),
            launch_uri: self.launch_uri.clone(),
            jwks: self.jwks.as_deref().map(checked_jwks).transpose()?,
            jwks_uri: self.jwks_uri.clone(),
            optional_scopes: optional(&self.optional_scopes, &scopes)?,
            reasons: reasons(&self.reasons, &self.scopes)?,
            scopes,
            goes_without_aud: self.goes_without_aud,
            is_device: self.is_device,
            ..ClientFacts::of("", self.name.as_str(), self.kind)
        })
    }

    /// Refuses what a client of this kind lacks, or can't have.
    fn check_kind(&self) -> Result<(), RecordError> {
        let unfit = |member, problem| Err(RecordError::UnfitClient { member, problem });
        let has_keys = self.jwks.is_some() || self.jwks_uri.is_some();
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return unfit("jwks", "the keys are in one place, by an address or themselves: name only one");
        }
        if self.contacts.len() > MOST_CONTACTS {
            return unfit("contacts", "name at most 20");
        }
        if self.redirect_uris.len() > MOST_URIS {
            return unfit("redirect_uris", "name at most 50");
        }
        if self.kind != ClientKind::Backend {
            if self.redirect_uris.is_empty() && !self.is_device {
                return unfit("redirect_uris", "people come back to the app there, name at least one");
            }
            if self.record.is_some() {
                return unfit("record", "only a backend client is bound to a record, to an app it is shared by people");
            }
        }
        match self.kind {
            ClientKind::Public if has_keys => unfit("jwks", "a public client can't keep a key, a confidential one can"),
            ClientKind::Backend if !has_keys => unfit(
                "jwks_uri",
                "a backend client shows who it is by a key: name where its public one is, or give it itself",
            ),
            ClientKind::Backend if !self.redirect_uris.is_empty() => {
                unfit("redirect_uris", "nobody signs in to a backend client, leave it out")
            }
            ClientKind::Backend if self.is_device => {
                unfit("device", "nobody allows a backend client by a code, leave it out")
            }
            ClientKind::Backend if self.launch_uri.is_some() => {
                unfit("initiate_login_uri", "nobody launches a backend client, leave it out")
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
        self.facts.id = id.to_owned();
        self
    }

    /// Lets whoever holds the token of this hash read and change what is registered (RFC 7592).
    pub fn let_change_by(&mut self, token: SecretHash) {
        self.facts.registration_hash = Some(token);
    }

    /// Refuses scopes with a search that `engine` could not apply.
    pub fn check_searches(&self, engine: &Engine) -> Result<(), RecordError> {
        let scopes = ScopeSet::parse(&self.facts.scopes);
        check_searches(&scopes, &engine.registry(), &engine.bases).map_err(RecordError::UnfitSearch)
    }
}

impl ChangedRegistration {
    /// As [`NewRegistration::check_searches`].
    pub fn check_searches(&self, engine: &Engine) -> Result<(), RecordError> {
        let scopes = ScopeSet::parse(&self.facts.scopes);
        check_searches(&scopes, &engine.registry(), &engine.bases).map_err(RecordError::UnfitSearch)
    }
}

/// Whether it shows who it is by a secret.
fn needs_secret(facts: &ClientFacts) -> bool {
    facts.kind == ClientKind::Confidential && facts.jwks.is_none() && facts.jwks_uri.is_none()
}

/// How to reach those who make it: an address of mail, or any other line.
fn checked_contact(contact: &str) -> Result<String, RecordError> {
    let line: Result<Name, _> = contact.parse();
    let unfit = RecordError::UnfitClient {
        member: "contacts",
        problem: "each has 1 to 200 characters on a line, all of which can be seen",
    };
    Ok(line.map_err(|_| unfit)?.as_str().to_owned())
}

/// The scopes that may be left out, each of which must be one of the client's.
fn optional(optional: &str, scopes: &str) -> Result<String, RecordError> {
    let known = ScopeSet::parse(scopes).to_string();
    let remedy = "only a scope that the client registers can be optional";
    for text in optional.split_ascii_whitespace() {
        let written = ScopeSet::parse(text).to_string();
        if written.is_empty() || !known.split_ascii_whitespace().any(|scope| scope == written) {
            return Err(RecordError::UnfitScope { scope: text.chars().take(200).collect(), remedy });
        }
    }
    Ok(ScopeSet::parse(optional).to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> Registration {
        Registration {
            redirect_uris: vec!["https://app.example/done".to_owned()],
            ..Registration::of(
                "Growth".parse().unwrap(),
                ClientKind::Confidential,
                "launch/patient openid patient/Observation.rs?category=vital-signs patient/Patient.read",
            )
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
        registration.prepare(Registrar::Operator, &OutboundSettings::default())
    }

    fn refusal(registration: Registration) -> String {
        prepared(registration).unwrap_err().to_string()
    }

    #[test]
    fn only_a_confidential_client_without_keys_has_a_secret() {
        let keys = || Some("https://app.example/jwks".to_owned());
        let with_secret = prepared(app()).unwrap();

        assert_eq!(with_secret.facts.secret_hash, with_secret.secret.as_ref().map(Secret::hash));
        assert!(with_secret.secret.is_some());
        for other in
            [Registration { kind: ClientKind::Public, ..app() }, Registration { jwks_uri: keys(), ..app() }, backend()]
        {
            let other = prepared(other).unwrap();
            assert!(other.secret.is_none() && other.facts.secret_hash.is_none());
        }
        assert_ne!(prepared(app()).unwrap().facts.id, prepared(app()).unwrap().facts.id);
    }

    #[test]
    fn each_kind_has_what_it_needs_and_nothing_else() {
        let uri = || Some("https://a.example/x".to_owned());
        let uris = || vec!["https://a.example/x".to_owned()];
        let record = || Some("Patient/a".parse().unwrap());
        let table = [
            (Registration { redirect_uris: Vec::new(), ..app() }, "people come back"),
            (Registration { redirect_uris: vec!["http://a.example/x".to_owned()], ..app() }, "a redirect URI"),
            (Registration { launch_uri: Some("x".to_owned()), ..app() }, "a launch URI"),
            (Registration { record: record(), ..app() }, "bound to a record"),
            (Registration { kind: ClientKind::Public, jwks_uri: uri(), ..app() }, "a confidential one can"),
            (Registration { jwks: Some("{}".to_owned()), ..app() }, "JWK Set"),
            (Registration { jwks: Some("{}".to_owned()), jwks_uri: uri(), ..app() }, "only one"),
            (Registration { jwks_uri: None, ..backend() }, "by a key"),
            (Registration { redirect_uris: uris(), ..backend() }, "nobody signs in"),
            (Registration { launch_uri: uri(), ..backend() }, "nobody launches"),
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
            prepared(with("patient/Observation.rs?category=vital-signs=to draw = curves")).unwrap().facts.reasons;

        assert_eq!(
            reasons.into_iter().collect::<Vec<_>>(),
            [("patient/Observation.rs?category=vital-signs".to_owned(), "to draw = curves".to_owned())]
        );
        for wrong in ["patient/Observation.rs=x", "openid=", "openid= ", "openid", "=x", "patient/Patient.rs=x"] {
            assert!(refusal(with(wrong)).contains("SCOPE=WHY"), "{wrong}");
        }
    }
}
