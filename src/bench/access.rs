//! What access costs: the same requests about one record, of an open server, by a token for that record, and by a token where nobody
//! counts how often, in turns.

use std::path::Path;
use std::time::Duration;

use crate::bench::child::Server;
use crate::bench::load::{self, Request, Until};
use crate::bench::report::{Access, AccessLine, AccessSide};
use crate::bench::town::{self, RECORD_REQUESTS};
use crate::bench::{BenchError, Plan, start};
use crate::clock;
use crate::fhir::Id;
use crate::store::{
    AccessToken, ClientFacts, ClientKind, GrantLevel, Grantee, Labels, NewAccount, NewGrant, Role, SecretHash, Store,
    StoreError, TokenKind,
};

/// Resources in the town.
const RESOURCES: u64 = 20_000;
/// How often the three are measured in turn.
const ROUNDS: usize = 6;
const WIDE_RATES: &str = "[rates]\nreads = 4000000000\nsearches = 4000000000\n";
const SCOPES: &str = "patient/*.rs";

/// Measures each request `plan.span` long of each of the servers, in turns.
pub(super) fn measure(plan: &Plan, folder: &Path, progress: &dyn Fn(&str)) -> Result<Access, BenchError> {
    let open = start(plan, folder)?;
    progress(&format!("growing to {RESOURCES} resources"));
    for part in 0..RESOURCES.div_ceil(town::OF_TRANSACTION) {
        let request = move |_| Request { method: "POST", path: "/fhir".to_owned(), body: town::transaction(part) };
        load::run(open.address, None, 1, Until::Sent(1), 0, request)?;
    }
    let database = plan.database(folder);
    let patient = town::record(RESOURCES);
    let token = token(&database, &patient)?;
    // Rates are counted as they are for anybody, but so many requests a minute come from nobody else.
    let rates = folder.join("rates.toml");
    std::fs::write(&rates, WIDE_RATES)?;
    let rates = rates.to_string_lossy();
    let closed =
        Server::start(folder, &["serve", "--config", &rates, "--listen", "127.0.0.1:0", "--database", &database])?;
    let uncounted =
        Server::start(folder, &["serve", "--rates=false", "--listen", "127.0.0.1:0", "--database", &database])?;
    let mut lines = Vec::new();
    for request in RECORD_REQUESTS {
        progress(&format!("  {}", request.name));
        let path = (request.path)(&patient);
        let span = plan.span / u32::try_from(ROUNDS).unwrap_or(1);
        let servers = [(&open, None), (&uncounted, Some(token.as_str())), (&closed, Some(token.as_str()))];
        let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            // Each is first as often as the others.
            for place in 0..servers.len() {
                let which = (place + round) % servers.len();
                let (server, token) = servers[which];
                rounds[which].push(asked(server, token, &path, span)?);
            }
        }
        let [open, uncounted, by_token] = rounds.map(median);
        if open.measured.answer_bytes / 2 > by_token.measured.answer_bytes {
            return Err(BenchError::NothingFound(request.name));
        }
        lines.push(AccessLine { request: request.name, open, uncounted, by_token });
    }
    open.stop()?;
    closed.stop()?;
    uncounted.stop()?;
    Ok(Access { database: plan.database_name(), lines })
}

fn asked(server: &Server, token: Option<&str>, path: &str, span: Duration) -> Result<AccessSide, BenchError> {
    let path = path.to_owned();
    let request = move |_| Request { method: "GET", path: path.clone(), body: String::new() };
    let before_us = server.cpu_us()?;
    let measured = load::run(server.address, token, 1, Until::Elapsed(span), 0, request)?;
    let cpu_us = (server.cpu_us()? - before_us) as f64 / measured.requests.max(1) as f64;
    Ok(AccessSide { measured, cpu_us })
}

/// The round in the middle by its median, and the processor time in the middle.
fn median(mut rounds: Vec<AccessSide>) -> AccessSide {
    rounds.sort_by(|left, right| left.cpu_us.total_cmp(&right.cpu_us));
    let cpu_us = rounds[rounds.len() / 2].cpu_us;
    rounds.sort_by(|left, right| left.measured.p50_ms.total_cmp(&right.measured.p50_ms));
    AccessSide { cpu_us, ..rounds[rounds.len() / 2] }
}

/// A token of an app for the record of `patient`, past all that checks who may have one.
fn token(database: &str, patient: &str) -> Result<String, BenchError> {
    let token = format!("bench-{}-{}", std::process::id(), clock::now_us());
    let hash = SecretHash::of(token.as_bytes());
    let patient = Id::parse(patient).map_err(|_| BenchError::NothingStored)?;
    let store = Store::open(database, 1, None)?;
    store.gather_statistics()?;
    store.write(move |tx| {
        let account = tx.add_account(&NewAccount {
            email: format!("{patient}@town.example"),
            name: "Somebody of the town".to_owned(),
            role: Role::Person,
            password: None,
            fhir_user: None,
        })?;
        let client = tx.add_client(&ClientFacts {
            scopes: SCOPES.to_owned(),
            ..ClientFacts::of(&format!("app-{patient}"), "An app", ClientKind::Public)
        })?;
        tx.add_grant(&NewGrant {
            patient: Some(patient.clone()),
            to: Grantee::Account(account.id),
            level: GrantLevel::Custodian,
            scopes: "user/*.cruds".to_owned(),
            labels: Labels::Normal,
            sees_history: false,
            until_us: None,
            reason: None,
            origin: "bench".to_owned(),
            granted_by: None,
        })?;
        let now_us = clock::now_us();
        tx.add_token(&AccessToken {
            hash,
            kind: TokenKind::Access,
            client: Some(client.facts.id),
            account: Some(account.id),
            grant: None,
            patient: Some(patient.clone()),
            encounter: None,
            scopes: SCOPES.to_owned(),
            issued_us: now_us,
            expires_us: now_us + 3_600_000_000,
            revoked_us: None,
            family: None,
            session: None,
            context: None,
            auth_time_us: None,
        })?;
        Ok::<_, StoreError>(())
    })?;
    Ok(token)
}
