//! What the form about an app says.

use std::collections::BTreeMap;

use crate::auth::consent::normal;
use crate::records::{Name, RecordError, Registration};
use crate::store::{Client, ClientKind};
use crate::web::PageForm;

/// Lines for scopes that the form has at least.
const FEWEST_ROWS: usize = 6;
/// Empty lines behind those that are filled.
const SPARE_ROWS: usize = 3;
const MOST_ROWS: usize = 60;

/// A line with a scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub scope: String,
    /// People may leave it out.
    pub is_optional: bool,
    pub why: String,
}

/// The fields as they were typed, or as the registration has them.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub name: String,
    pub publisher: String,
    pub is_confidential: bool,
    pub is_device: bool,
    /// One a line.
    pub redirect_uris: String,
    pub launch_uri: String,
    pub rows: Vec<Row>,
    pub logo_uri: String,
    pub policy_uri: String,
    pub tos_uri: String,
    /// One a line.
    pub contacts: String,
    pub jwks: String,
    pub jwks_uri: String,
}

/// A field that does not do, and why.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub field: &'static str,
    pub text: String,
}

impl Said {
    /// An empty form.
    pub(super) fn nothing() -> Said {
        Said {
            name: String::new(),
            publisher: String::new(),
            is_confidential: false,
            is_device: false,
            redirect_uris: String::new(),
            launch_uri: String::new(),
            rows: vec![Row::default(); FEWEST_ROWS],
            logo_uri: String::new(),
            policy_uri: String::new(),
            tos_uri: String::new(),
            contacts: String::new(),
            jwks: String::new(),
            jwks_uri: String::new(),
        }
    }

    /// The form as the registration fills it.
    pub(super) fn of(client: &Client) -> Said {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let optional: Vec<&str> = client.optional_scopes.split_ascii_whitespace().collect();
        let reasons: BTreeMap<String, &String> =
            client.reasons.iter().map(|(scope, why)| (normal(scope), why)).collect();
        let row = |scope: &str| Row {
            scope: scope.to_owned(),
            // Without a word on what is optional, all is.
            is_optional: optional.is_empty() || optional.contains(&scope),
            why: reasons.get(scope).map(|why| (*why).clone()).unwrap_or_default(),
        };
        Said {
            name: client.name.clone(),
            publisher: text(&client.publisher),
            is_confidential: client.kind == ClientKind::Confidential,
            is_device: client.is_device,
            redirect_uris: client.redirect_uris.join("\n"),
            launch_uri: text(&client.launch_uri),
            rows: with_spares(client.scopes.split_ascii_whitespace().map(row).collect()),
            logo_uri: text(&client.logo_uri),
            policy_uri: text(&client.policy_uri),
            tos_uri: text(&client.tos_uri),
            contacts: client.contacts.join("\n"),
            jwks: text(&client.jwks),
            jwks_uri: text(&client.jwks_uri),
        }
    }

    /// The form as it was sent.
    pub(super) fn sent(form: &PageForm) -> Said {
        let text = |name: &str| form.get(name).unwrap_or_default().trim().to_owned();
        let row = |number: usize| Row {
            scope: text(&format!("scope-{number}")),
            is_optional: form.get(&format!("need-{number}")) != Some("needed"),
            why: text(&format!("why-{number}")),
        };
        Said {
            name: text("name"),
            publisher: text("publisher"),
            is_confidential: form.get("kind") == Some("confidential"),
            is_device: form.get("device").is_some(),
            redirect_uris: text("redirect_uris"),
            launch_uri: text("launch_uri"),
            rows: with_spares((1..=MOST_ROWS).map(row).filter(|row| !row.scope.is_empty()).collect()),
            logo_uri: text("logo_uri"),
            policy_uri: text("policy_uri"),
            tos_uri: text("tos_uri"),
            contacts: text("contacts"),
            jwks: text("jwks"),
            jwks_uri: text("jwks_uri"),
        }
    }

    /// What is to be registered.
    pub(super) fn registration(&self) -> Result<Registration, Problem> {
        let name = |field: &'static str, text: &str| {
            let unfit = |error: crate::records::NotUsable| Problem { field, text: error.to_string() };
            text.parse::<Name>().map_err(unfit)
        };
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let lines = |text: &str| -> Vec<String> {
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        };
        let filled = || self.rows.iter().filter(|row| !row.scope.is_empty());
        let scopes: Vec<&str> = filled().map(|row| row.scope.as_str()).collect();
        let optional: Vec<&str> = filled().filter(|row| row.is_optional).map(|row| row.scope.as_str()).collect();
        let kind = if self.is_confidential { ClientKind::Confidential } else { ClientKind::Public };
        let reasons = filled().filter(|row| !row.why.is_empty()).map(|row| format!("{}={}", row.scope, row.why));
        let publisher = given(&self.publisher).map(|text| name("publisher", &text)).transpose()?;
        Ok(Registration {
            publisher,
            policy_uri: given(&self.policy_uri),
            tos_uri: given(&self.tos_uri),
            contacts: lines(&self.contacts),
            redirect_uris: lines(&self.redirect_uris),
            launch_uri: given(&self.launch_uri),
            jwks: given(&self.jwks),
            jwks_uri: given(&self.jwks_uri),
            optional_scopes: optional.join(" "),
            reasons: reasons.collect(),
            is_device: self.is_device,
            logo_uri: given(&self.logo_uri),
            ..Registration::of(name("name", &self.name)?, kind, &scopes.join(" "))
        })
    }
}

fn with_spares(mut rows: Vec<Row>) -> Vec<Row> {
    let count = (rows.len() + SPARE_ROWS).clamp(FEWEST_ROWS, MOST_ROWS.max(rows.len()));
    rows.resize(count, Row { is_optional: true, ..Row::default() });
    rows
}

/// Beside which field a refusal belongs; `None` for one that is about none.
pub(super) fn problem(error: &RecordError) -> Option<Problem> {
    let field = match error {
        RecordError::UnfitUri { member, .. } | RecordError::UnfitClient { member, .. } => match *member {
            "initiate_login_uri" => "launch_uri",
            member => member,
        },
        RecordError::UnknownScope(..)
        | RecordError::NoScope(_)
        | RecordError::UnfitScope { .. }
        | RecordError::UnfitSearch(_)
        | RecordError::UnfitReason(_) => "scopes",
        RecordError::UnfitJwks(_) => "jwks",
        RecordError::UnfitLogo(_) => "logo_uri",
        RecordError::LastOwner => "email",
        _ => return None,
    };
    Some(Problem { field, text: error.to_string() })
}
