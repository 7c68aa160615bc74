//! `emberwell client`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::access::{Flags, change, client_kind, read};
use crate::cli::{Failure, open, print};
use crate::clock;
use crate::config::Settings;
use crate::records::{
    Email, LOGO_BYTES, Name, RecordError, RecordId, Registrar, Registration, approve, instant, invite, known_client,
    logo, register, suspend, verify,
};
use crate::store::{Client, ClientKind, Logo, Part};

const FLAGS: Flags = Flags { account: "--owner", record: "--record" };
const DAY_US: i64 = 24 * 3_600_000_000;

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Register an app or a system
    Add(Box<AddArgs>),
    /// Show the clients that are registered
    List(ListArgs),
    /// Show all that is registered of one
    Show(NamedArgs),
    /// Let everybody use a client, one that was suspended, too
    Approve(NamedArgs),
    /// Vouch for who is said to make it
    Verify(VerifyArgs),
    /// Let a client get and use no tokens any more
    Suspend(NamedArgs),
    /// Make a token by which an app may register itself once
    Invite(InviteArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Name that people see
    #[arg(long, value_name = "N")]
    name: Name,
    /// How it shows who it is: public (not at all), confidential, or backend (a system that acts for nobody)
    #[arg(long, value_name = "KIND", value_parser = client_kind)]
    kind: ClientKind,
    /// Who makes it
    #[arg(long, value_name = "N")]
    publisher: Option<Name>,
    /// You vouch for who makes it: people read that it is verified
    #[arg(long)]
    verified: bool,
    /// File with its logo: PNG, JPEG or WebP, at most 256 KiB
    #[arg(long, value_name = "FILE")]
    logo: Option<PathBuf>,
    /// Page that says what it does with what it reads
    #[arg(long, value_name = "U")]
    policy_uri: Option<String>,
    /// Page with its terms of service
    #[arg(long, value_name = "U")]
    tos_uri: Option<String>,
    /// How to reach those who make it
    #[arg(long, value_name = "MAIL")]
    contact: Vec<String>,
    /// Address of an account that may change it at /developer
    #[arg(long, value_name = "EMAIL")]
    owner: Vec<Email>,
    /// Where people come back to it; compared to the byte, but for the port of 127.0.0.1 and [::1]
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
    /// Which of these people may leave out
    #[arg(long, value_name = "S..", default_value = "")]
    optional: String,
    /// Why it wants a scope, which people read when they decide
    #[arg(long, value_name = "S=why")]
    reason: Vec<String>,
    /// Its requests need not name this server as aud; for apps that can't
    #[arg(long)]
    without_aud: bool,
    /// It has no browser, such as a scale: people allow it by a code that it shows
    #[arg(long)]
    device: bool,
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
pub(super) struct NamedArgs {
    /// Its client_id
    #[arg(value_name = "ID")]
    id: String,
    /// Print the client as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// Vouch for it no more
    #[arg(long)]
    off: bool,
}

#[derive(Debug, Args)]
pub(super) struct InviteArgs {
    /// For how long it can be used
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(i64).range(1..=365))]
    days: i64,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Registers and shows clients, and says how far each may be used.
pub(super) fn client(settings: &Settings, command: ClientCommand) -> Result<(), Failure> {
    match command {
        ClientCommand::Add(args) => add(settings, *args),
        ClientCommand::List(args) => list(settings, &args),
        ClientCommand::Show(args) => show(settings, &args),
        ClientCommand::Approve(NamedArgs { id, json }) => {
            let done = change(settings, &FLAGS, move |tx| approve(tx, &id, Registrar::Operator, clock::now_us()))?;
            stands(&done, json, "may be used by all")
        }
        ClientCommand::Verify(VerifyArgs { named: NamedArgs { id, json }, off }) => {
            let done = change(settings, &FLAGS, move |tx| verify(tx, &id, !off, Registrar::Operator, clock::now_us()))?;
            stands(&done, json, if off { "is verified no more" } else { "is verified" })
        }
        ClientCommand::Suspend(NamedArgs { id, json }) => {
            let done = change(settings, &FLAGS, move |tx| suspend(tx, &id, Registrar::Operator))?;
            stands(&done, json, "gets and uses no tokens any more")
        }
        ClientCommand::Invite(args) => invited(settings, &args),
    }
}

fn add(settings: &Settings, args: AddArgs) -> Result<(), Failure> {
    let registration = Registration {
        publisher: args.publisher,
        logo: args.logo.as_deref().map(picture).transpose()?,
        policy_uri: args.policy_uri,
        tos_uri: args.tos_uri,
        contacts: args.contact,
        owners: args.owner,
        redirect_uris: args.redirect_uri,
        launch_uri: args.launch_uri,
        jwks: args.jwks.as_deref().map(text_of).transpose()?,
        jwks_uri: args.jwks_uri,
        optional_scopes: args.optional,
        reasons: args.reason,
        goes_without_aud: args.without_aud,
        is_device: args.device,
        record: args.record,
        ..Registration::of(args.name, args.kind, &args.scope)
    };
    let new = registration.prepare(Registrar::Operator, &settings.outbound).map_err(|error| FLAGS.refused(error))?;
    let engine = open(settings)?;
    new.check_searches(&engine).map_err(|error| FLAGS.refused(error))?;
    let is_verified = args.verified;
    let registered = change(settings, &FLAGS, move |tx| {
        let mut registered = register(tx, &new, Registrar::Operator)?;
        if is_verified {
            let id = registered.client.id.clone();
            registered.client = verify(tx, &id, true, Registrar::Operator, clock::now_us())?;
        }
        Ok(registered)
    })?;
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

fn picture(path: &Path) -> Result<Logo, Failure> {
    let unread = |error| Failure::Usage(format!("--logo {}: it can't be read: {error}", path.display()));
    let size_bytes = std::fs::metadata(path).map_err(unread)?.len();
    if size_bytes > LOGO_BYTES as u64 {
        return Err(Failure::Usage(format!("--logo: it has {size_bytes} bytes, and {LOGO_BYTES} are the most")));
    }
    logo(std::fs::read(path).map_err(unread)?).map_err(|error| FLAGS.refused(error))
}

fn list(settings: &Settings, args: &ListArgs) -> Result<(), Failure> {
    let clients = read(settings, &FLAGS, |reader| Ok::<_, RecordError>(reader.clients()?))?;
    if args.json {
        print(&json!({ "clients": clients.iter().map(told).collect::<Vec<_>>() }))?;
    }
    clients.iter().for_each(|client| eprintln!("{}", line(client)));
    Ok(())
}

/// A client on a line.
fn line(client: &Client) -> String {
    let by = client.publisher.as_ref().map(|publisher| format!(" by {publisher}")).unwrap_or_default();
    let verified = if client.is_verified() { ", verified" } else { "" };
    let (kind, state) = (client.kind.name(), client.state().name());
    format!("{} {}{by} ({kind}, {state}{verified}): {}", client.id, client.name, client.scopes)
}

fn show(settings: &Settings, args: &NamedArgs) -> Result<(), Failure> {
    let (client, members) = read(settings, &FLAGS, |reader| {
        let client = known_client(reader, &args.id)?;
        let mut members = Vec::new();
        for (account, part) in reader.client_members(&client.id)? {
            members.extend(reader.account(account)?.map(|account| (account.email, part)));
        }
        Ok::<_, RecordError>((client, members))
    })?;
    let named = |wanted: Part| -> Vec<&str> {
        members.iter().filter(|(_, part)| *part == wanted).map(|(email, _)| email.as_str()).collect()
    };
    if args.json {
        let mut told = told(&client);
        told["owners"] = json!(named(Part::Owner));
        told["testers"] = json!(named(Part::Tester));
        return print(&told);
    }
    eprintln!("{}", line(&client));
    let lists = [
        ("comes back to", client.redirect_uris.join(" ")),
        ("is launched at", client.launch_uri.clone().unwrap_or_default()),
        ("people may leave out", client.optional_scopes.clone()),
        ("owned by", named(Part::Owner).join(" ")),
        ("tried by", named(Part::Tester).join(" ")),
        ("registered by", client.origin.name().to_owned()),
    ];
    for (name, value) in lists.iter().filter(|(_, value)| !value.is_empty()) {
        eprintln!("  {name}: {value}");
    }
    Ok(())
}

fn stands(client: &Client, json: bool, how: &str) -> Result<(), Failure> {
    if json {
        print(&told(client))?;
    }
    eprintln!("emberwell: client {} {how}", client.id);
    Ok(())
}

fn invited(settings: &Settings, args: &InviteArgs) -> Result<(), Failure> {
    let until_us = clock::now_us() + args.days * DAY_US;
    let token = change(settings, &FLAGS, move |tx| invite(tx, until_us))?;
    if args.json {
        return print(&json!({ "initial_access_token": token.as_str(), "until": instant(until_us) }));
    }
    eprintln!(
        "emberwell: one app may register itself until {} with this token, which is shown now and never again:",
        instant(until_us)
    );
    eprintln!("{}", token.as_str());
    Ok(())
}

fn told(client: &Client) -> Value {
    json!({
        "client_id": client.id,
        "name": client.name,
        "kind": client.kind.name(),
        "publisher": client.publisher,
        "verified": client.is_verified(),
        "state": client.state().name(),
        "origin": client.origin.name(),
        "logo": client.logo_media,
        "policy_uri": client.policy_uri,
        "tos_uri": client.tos_uri,
        "contacts": client.contacts,
        "redirect_uris": client.redirect_uris,
        "launch_uri": client.launch_uri,
        "jwks_uri": client.jwks_uri,
        "scope": client.scopes,
        "optional": client.optional_scopes,
        "reasons": client.reasons,
        "without_aud": client.goes_without_aud,
        "device": client.is_device,
        "created": instant(client.created_us),
        "suspended": client.suspended_us.map(instant),
    })
}
