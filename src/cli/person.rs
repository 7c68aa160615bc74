//! `emberwell person`

use std::io::Read as _;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::access::{Flags, change, read, role};
use crate::cli::{Failure, print};
use crate::clock;
use crate::config::Settings;
use crate::records::{
    Email, FhirUser, Name, NewPerson, Password, RecordError, add_person, disable_person, give_password,
};
use crate::store::{PasswordHash, Role};

const FLAGS: Flags = Flags { account: "--email", record: "--email" };
/// Four bytes for each of the 256 characters of a password, and a line end.
const MOST_PASSWORD_BYTES: u64 = 4 * 256 + 2;

#[derive(Debug, Subcommand)]
pub(super) enum PersonCommand {
    /// Make an account
    Add(AddArgs),
    /// Give an account another password, and end its sessions
    Password(PasswordArgs),
    /// Let an account give no access any more
    Disable(DisableArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Address by which they sign in
    #[arg(long, value_name = "E")]
    email: Email,
    /// Name that others see
    #[arg(long, value_name = "N")]
    name: Name,
    /// What they are here: person, professional or operator
    #[arg(long, default_value = "person", value_name = "ROLE", value_parser = role)]
    role: Role,
    /// The resource that they are, such as Practitioner/7
    #[arg(long, value_name = "TYPE/ID")]
    fhir_user: Option<FhirUser>,
    /// Read their password from stdin: one line of 8 to 256 characters that is not guessed at once
    #[arg(long)]
    password_stdin: bool,
    /// Print the account as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// Address by which they sign in
    #[arg(long, value_name = "E")]
    email: Email,
    /// Read the password from stdin: one line of 8 to 256 characters that is not guessed at once
    #[arg(long, required = true)]
    password_stdin: bool,
    /// Ask for no code of an authenticator app any more, for somebody who has lost it and the recovery codes
    #[arg(long)]
    remove_app: bool,
    /// Print the account as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DisableArgs {
    /// Address by which they sign in
    #[arg(long, value_name = "E")]
    email: Email,
    /// Print the account as JSON
    #[arg(long)]
    json: bool,
}

/// Makes or disables an account.
pub(super) fn person(settings: &Settings, command: PersonCommand) -> Result<(), Failure> {
    match command {
        PersonCommand::Add(args) => add(settings, args),
        PersonCommand::Password(args) => give(settings, &args),
        PersonCommand::Disable(args) => disable(settings, &args),
    }
}

fn add(settings: &Settings, args: AddArgs) -> Result<(), Failure> {
    let about = [args.name.as_str(), args.email.as_str()];
    let password = if args.password_stdin { Some(password(&about)?) } else { None };
    let AddArgs { email, name, role, fhir_user, json, .. } = args;
    let new = NewPerson { email, name, role, password, fhir_user };
    let account = change(settings, &FLAGS, move |tx| add_person(tx, &new))?;
    if json {
        print(&json!({
            "account": account.id,
            "email": account.email,
            "name": account.name,
            "role": account.role.name(),
            "fhirUser": account.fhir_user,
        }))?;
    }
    eprintln!("emberwell: account {} is made, for {}", account.id, account.email);
    Ok(())
}

/// The hash of the password that comes on stdin, for somebody about whom `about` is known.
fn password(about: &[&str]) -> Result<PasswordHash, Failure> {
    let unfit = |reason: String| Failure::Usage(format!("--password-stdin: {reason}"));
    let mut text = String::new();
    let read = std::io::stdin().take(MOST_PASSWORD_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| unfit(format!("stdin can't be read: {error}")))?;
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if line.contains('\n') {
        return Err(unfit("a password is one line".to_owned()));
    }
    let password = Password::chosen(line, about).map_err(|reason| unfit(reason.to_string()))?;
    password.hash().map_err(|error: RecordError| Failure::failed(error))
}

fn give(settings: &Settings, args: &PasswordArgs) -> Result<(), Failure> {
    let email = args.email.clone();
    let of_account = email.clone();
    let account = read(settings, &FLAGS, move |reader| Ok(reader.account_by_email(of_account.as_str())?))?;
    let name = account.map(|account| account.name).unwrap_or_default();
    let password = password(&[&name, email.as_str()])?;
    let removes_app = args.remove_app;
    let account = change(settings, &FLAGS, move |tx| give_password(tx, &email, &password, removes_app))?;
    if args.json {
        print(&json!({ "account": account.id, "email": account.email, "password": true }))?;
    }
    eprintln!(
        "emberwell: account {} of {} has another password, and its sessions are ended",
        account.id, account.email
    );
    Ok(())
}

fn disable(settings: &Settings, args: &DisableArgs) -> Result<(), Failure> {
    let email = args.email.clone();
    let account = change(settings, &FLAGS, move |tx| disable_person(tx, &email, clock::now_us()))?;
    if args.json {
        print(&json!({ "account": account.id, "email": account.email, "disabled": true }))?;
    }
    eprintln!("emberwell: account {} of {} gives no access any more", account.id, account.email);
    Ok(())
}
