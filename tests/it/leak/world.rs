//! Two worlds that are the same for the holder of a token: one full of what it may not see, one without any of it.
//!
//! Whatever such a holder asks must be answered alike in both. Each thing that is hidden bears a random word and a random id,
//! so that it is known again wherever it comes to light.

use std::collections::BTreeSet;

use emberwell::config::Settings;
use serde_json::Value;

use crate::leak::people::{Item, items};
use crate::support::database::{execute, select};
use crate::support::holders::{self, Granted, Held};
use crate::support::{Database, TestServer};

/// Whose eyes it is seen with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `patient/*.cruds` of A.
    Whole,
    /// `patient/Observation.rs` of A.
    Observations,
    /// `patient/Observation.rs?category=laboratory` of A.
    Laboratory,
    /// `user/*.rs` of A, who sees observations of the child M, too.
    Family,
    /// `system/Patient.rs` on all records.
    Patients,
}

impl Kind {
    /// A holder of a token of this kind.
    pub fn holder(self, server: &TestServer) -> Held {
        let on_a = [Granted::on("a")];
        match self {
            Kind::Whole => holders::app(server, "patient/*.cruds", Some("a"), &on_a),
            Kind::Observations => holders::app(server, "patient/Observation.rs", Some("a"), &on_a),
            Kind::Laboratory => holders::app(server, "patient/Observation.rs?category=laboratory", Some("a"), &on_a),
            Kind::Family => {
                let partly = Granted { scopes: "user/Observation.rs user/Patient.rs", ..Granted::on("m") };
                holders::app(server, "user/*.rs", None, &[Granted::on("a"), partly])
            }
            Kind::Patients => {
                let all = Granted { record: None, scopes: "system/*.cruds", ..Granted::on("") };
                holders::system(server, "system/Patient.rs", &[all])
            }
        }
    }
}

/// The names of the cast, made into ids and words that nobody guesses.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    pub seed: u64,
}

impl Names {
    /// `text` with `@name@` made into the id of what has this name, and `@!name@` into the word that it bears.
    pub fn told(self, text: &str) -> String {
        let mut told = String::with_capacity(text.len());
        for (place, part) in text.split('@').enumerate() {
            match (place % 2, part.strip_prefix('!')) {
                (0, _) => told.push_str(part),
                (_, Some(name)) => told.push_str(&self.word(name)),
                (_, None) => told.push_str(&self.id(part)),
            }
        }
        told
    }

    pub fn id(self, name: &str) -> String {
        match name {
            "a" | "m" => name.to_owned(),
            name => format!("{name}-{:012x}", self.number(name) >> 16),
        }
    }

    /// One word, as searches of texts know it.
    pub fn word(self, name: &str) -> String {
        format!("zq{:016x}", self.number(&format!("!{name}")))
    }

    fn number(self, name: &str) -> u64 {
        // FNV-1a, stirred so that neighbours have nothing in common.
        let start = 0xCBF2_9CE4_8422_2325 ^ self.seed;
        let hash = name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB)
    }
}

/// A server with the token of the one who looks.
pub struct Place {
    pub server: TestServer,
    pub token: String,
    /// The id of the client, which differs from world to world.
    pub client: String,
}

/// The two worlds, and what may never come to light.
pub struct Worlds {
    pub kind: Kind,
    pub names: Names,
    /// With all there is.
    pub full: Place,
    /// With what may be seen alone.
    pub bare: Place,
    /// Ids and words of what is hidden.
    pub secrets: Vec<String>,
    /// The ids of what is hidden.
    hidden: Vec<String>,
}

impl Worlds {
    /// `None` when the database can't be had here.
    pub async fn make(database: Database, kind: Kind, seed: u64) -> Option<Worlds> {
        let names = Names { seed };
        let cast = items();
        let (full, bare) = (TestServer::start(database).await?, TestServer::start(database).await?);
        fill(&full, names, cast.iter(), |_| false).await;
        // Another app created it, and nothing has it as an attachment.
        let lone = names.id("lone-text");
        let created = "INSERT INTO binary_creator (rid, creator) SELECT rid, 42 FROM resource WHERE id =";
        execute(full.database(), &format!("{created} '{lone}'"));
        fill(&bare, names, cast.iter().filter(|item| item.is_seen_by(kind)), |_| true).await;
        let secrets = secrets(&cast, names, kind);
        let hidden = cast.iter().filter(|item| !item.is_seen_by(kind)).map(|item| names.id(item.name)).collect();
        let (full, bare) = (closed(full, kind).await, closed(bare, kind).await);
        Some(Worlds { kind, names, full, bare, secrets, hidden })
    }

    /// All that the database has of what is hidden, line by line, old versions and whose record it is part of included.
    pub fn hidden_rows(&self) -> Vec<String> {
        let ids: Vec<String> = self.hidden.iter().map(|id| format!("'{id}'")).collect();
        let among = format!("(SELECT rid FROM resource WHERE id IN ({}))", ids.join(", "));
        let (open, close) = match self.full.server.database().starts_with("sqlite:") {
            true => ("hex(", ")"),
            false => ("encode(", ", 'hex')"),
        };
        let text = |column: &str| format!("coalesce({open}{column}{close}, '')");
        let version = "version || ' ' || updated_us || ' ' || method || ' ' || codec";
        let statements = [
            format!(
                "SELECT id || ' ' || {version} || ' ' || {} || ' ' || {} AS line FROM resource WHERE rid IN {among}",
                text("tail"),
                text("index_rows")
            ),
            format!(
                "SELECT rid || ' ' || {version} || ' ' || {} AS line FROM version WHERE rid IN {among}",
                text("tail")
            ),
            format!("SELECT rid || ' ' || patient || ' ' || rtype AS line FROM compartment WHERE rid IN {among}"),
            format!("SELECT rid || ' ' || patient AS line FROM deleted_from WHERE rid IN {among}"),
            format!("SELECT rid || ' ' || creator AS line FROM binary_creator WHERE rid IN {among}"),
        ];
        let mut lines: Vec<String> =
            statements.iter().flat_map(|statement| select(self.full.server.database(), statement)).collect();
        lines.sort();
        assert!(lines.len() >= self.hidden.len(), "{} rows of {} that are hidden", lines.len(), self.hidden.len());
        lines
    }

    pub async fn stop(self) {
        self.full.server.stop().await;
        self.bare.server.stop().await;
    }
}

/// The same server, as one that needs a token.
async fn closed(server: TestServer, kind: Kind) -> Place {
    let server = server.again(|settings: &mut Settings| settings.server.open = false).await;
    let held = kind.holder(&server);
    Place { token: held.token, client: held.client.expect("an app holds it"), server }
}

/// Writes the cast in its order, each version by a request of its own. Where `is_blank`, old versions say nothing.
async fn fill<'i>(
    server: &TestServer,
    names: Names,
    cast: impl Iterator<Item = &'i Item>,
    is_blank: impl Fn(&Item) -> bool,
) {
    let mut refused = Vec::new();
    for item in cast {
        let last = item.versions.len() - 1;
        for (place, version) in item.versions.iter().enumerate() {
            let text = match is_blank(item) && place < last {
                true => item.blank(),
                false => version.clone(),
            };
            let resource: Value = serde_json::from_str(&names.told(&text)).unwrap();
            let path = format!("{}/{}", item.resource_type, names.id(item.name));
            let answer = server.put(&path, &resource).await;
            if !matches!(answer.status, 200 | 201) {
                refused.push(format!("{path}: {}", answer.text()));
            }
        }
        if item.is_deleted {
            let path = format!("{}/{}", item.resource_type, names.id(item.name));
            server.delete(&path).await.expect(204);
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// What only what is hidden says.
fn secrets(cast: &[Item], names: Names, kind: Kind) -> Vec<String> {
    let mut open = String::new();
    let mut secret = BTreeSet::new();
    for item in cast {
        let (last, older) = item.versions.split_last().unwrap();
        let hidden = match item.is_seen_by(kind) {
            true => {
                open.push_str(&names.told(last));
                older
            }
            false => {
                secret.insert(names.id(item.name));
                &item.versions[..]
            }
        };
        for version in hidden {
            let told = names.told(version);
            secret.extend(told.match_indices("zq").filter_map(|(at, _)| told.get(at..at + 18).map(str::to_owned)));
        }
    }
    // The value of one Observation, and what hidden Binaries hold, as it is and as FHIR writes it.
    secret.extend(["4242.5", "zqsecret", "enFzZWNyZXQ"].map(str::to_owned));
    secret.into_iter().filter(|word| !open.contains(word)).collect()
}
