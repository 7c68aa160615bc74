//! `emberwell client`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::access::{Flags, change, client_kind, read};
use crate::cli::{Failure, open, print};
use crate::config::Settings;
use crate::records::{Name, RecordError, RecordId, Registration, instant, register, suspend};
use crate::store::{Client, ClientKind};

const FLAGS: Flags = Flags { account: "--client", record: "--record" };

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Register an app or a system
    Add(AddArgs),
    /// Show the clients that are registered
    List(ListArgs),
    /// Let a client get and use no tokens any more
    Suspend(SuspendArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Name that people see
    #[arg(long, value_name = "N")]
    name: Name,
    /// How it shows who it is: public (not at all), confidential, or backend (a system that acts for nobody)
    #[arg(long, value_name = "KIND", value_parser = client_kind)]
    kind: ClientKind,
    /// Where people come back to it; compared to the byte
    #[arg(long, value_name = "U")]
    redirect_uri: Vec<String>,
    /// Where it is launched from here
    #[arg(long, value_name = "U")]
    launch_uri: Option<String>,
    /// File with its public keys, a JWK Set
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Where its JWK Set is
    #[arg(long, value_name = "U")]
    jwks_uri: Option<String>,
    /// The most that it may ask for, as SMART scopes; of a backend client: what it may do
    #[arg(long, value_name = "S..")]
    scope: String,
    /// Why it wants a scope, which people read when they decide
    #[arg(long, value_name = "S=why")]
    reason: Vec<String>,
    /// Of a backend client: the one record that it is for [default: all]
    #[arg(long, value_name = "Patient/ID")]
    record: Option<RecordId>,
    /// Print the client as JSON, with its secret if it has one
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SuspendArgs {
    /// Its client_id
    #[arg(value_name = "ID")]
    id: String,
    /// Print the client as JSON
    #[arg(long)]
    json: bool,
}

/// Registers, shows or suspends clients.
pub(super) fn client(settings: &Settings, command: ClientCommand) -> Result<(), Failure> {
    match command {
        ClientCommand::Add(args) => add(settings, args),
        ClientCommand::List(args) => list(settings, &args),
        ClientCommand::Suspend(args) => stop(settings, &args),
    }
}

fn add(settings: &Settings, args: AddArgs) -> Result<(), Failure> {
    let registration = Registration {
        name: args.name,
        kind: args.kind,
        redirect_uris: args.redirect_uri,
        launch_uri: args.launch_uri,
        jwks: args.jwks.as_deref().map(text_of).transpose()?,
        jwks_uri: args.jwks_uri,
        scopes: args.scope,
        reasons: args.reason,
        record: args.record,
    };
    let new = registration.prepare(&settings.outbound).map_err(|error| FLAGS.refused(error))?;
    let engine = open(settings)?;
    new.check_searches(&engine).map_err(|error| FLAGS.refused(error))?;
    let registered = change(settings, &FLAGS, move |tx| register(tx, &new))?;
    let client = &registered.client;
    eprintln!("emberwell: client {} is registered, as {}", client.id, client.kind.name());
    if let Some(grant) = &registered.grant {
        eprintln!("emberwell: grant {} lets it do {}", grant.id, grant.scopes);
    }
    if args.json {
        let mut told = told(client);
        if let Some(secret) = &registered.secret {
            told["client_secret"] = json!(secret.as_str());
        }
        if let Some(grant) = &registered.grant {
            told["grant"] = json!(grant.id);
        }
        print(&told)?;
    } else if let Some(secret) = &registered.secret {
        eprintln!("emberwell: its secret is shown now and never again: {}", secret.as_str());
    }
    Ok(())
}

fn text_of(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("--jwks {}: it can't be read: {error}", path.display())))
}

fn list(settings: &Settings, args: &ListArgs) -> Result<(), Failure> {
    let clients = read(settings, &FLAGS, |reader| Ok::<_, RecordError>(reader.clients()?))?;
    if args.json {
        print(&json!({ "clients": clients.iter().map(told).collect::<Vec<_>>() }))?;
    }
    for client in &clients {
        let suspended = if client.suspended_us.is_some() { ", suspended" } else { "" };
        eprintln!("{} {} ({}): {}{suspended}", client.id, client.name, client.kind.name(), client.scopes);
    }
    Ok(())
}

fn stop(settings: &Settings, args: &SuspendArgs) -> Result<(), Failure> {
    let id = args.id.clone();
    let client = change(settings, &FLAGS, move |tx| suspend(tx, &id))?;
    if args.json {
        print(&json!({ "client_id": client.id, "suspended": true }))?;
    }
    eprintln!("emberwell: client {} gets and uses no tokens any more", client.id);
    Ok(())
}

fn told(client: &Client) -> Value {
    json!({
        "client_id": client.id,
        "name": client.name,
        "kind": client.kind.name(),
        "redirect_uris": client.redirect_uris,
        "launch_uri": client.launch_uri,
        "jwks_uri": client.jwks_uri,
        "scope": client.scopes,
        "reasons": client.reasons,
        "created": instant(client.created_us),
        "suspended": client.suspended_us.map(instant),
    })
}
