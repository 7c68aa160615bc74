//! Every call of the store that gives of what is stored has its row here, with what bounds it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What bounds a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// It takes a `Guard`.
    Guard,
    /// It takes a statement, that the compiler of searches wrote with the bounds in it.
    Statement,
    /// It tells nothing of a resource's content or existence to a caller, or only of what the caller gives it.
    Nothing,
    /// Only these files call it, each for a job of the server's own, or of what has passed a bound.
    Only(&'static [&'static str]),
}

const CALLS: &[(&str, Bound)] = &[
    ("dialect", Bound::Nothing),
    ("hasher", Bound::Nothing),
    ("seal", Bound::Nothing),
    ("current", Bound::Guard),
    ("version", Bound::Guard),
    ("history", Bound::Guard),
    ("guarded_rows", Bound::Guard),
    ("rows", Bound::Statement),
    ("number", Bound::Statement),
    ("numbers", Bound::Statement),
    ("sort_rows", Bound::Statement),
    ("texts", Bound::Statement),
    // Of the rows that a bounded page is made of.
    ("token_texts", Bound::Only(&["interactions/search/sorted/keys.rs"])),
    // And whose record the trail is to name, for the trail alone; and whom a Person stands for, for what Consents deny.
    (
        "targets",
        Bound::Only(&[
            "interactions/search/sorted/keys.rs",
            "interactions/trail/mod.rs",
            "audit/owners.rs",
            "cli/audit.rs",
            "auth/holder.rs",
        ]),
    ),
    ("standing", Bound::Only(&["interactions/search/sorted/keys.rs"])),
    ("mark", Bound::Nothing),
    ("stood", Bound::Only(&["interactions/search/mod.rs", "interactions/search/contained.rs"])),
    // Counts of all, for whoever is not bound.
    (
        "type_counts",
        Bound::Only(&[
            "demo/mod.rs",
            "interactions/history.rs",
            "interactions/trail/elsewhere.rs",
            "interactions/verify.rs",
        ]),
    ),
    // Jobs of an operator.
    ("current_after", Bound::Only(&["interactions/reindex.rs"])),
    ("stored_after", Bound::Only(&["interactions/verify.rs"])),
    ("version_spans", Bound::Only(&["interactions/verify.rs"])),
    ("change_spans", Bound::Only(&["interactions/verify.rs"])),
    ("each_older", Bound::Only(&["interactions/verify.rs"])),
    ("each_index_row", Bound::Only(&["interactions/verify.rs"])),
    ("renew", Bound::Only(&["interactions/reindex.rs"])),
    ("job", Bound::Only(&["interactions/reindex.rs"])),
    ("running_job", Bound::Only(&["interactions/reindex.rs"])),
    ("extent", Bound::Only(&["interactions/reindex.rs"])),
    ("start_job", Bound::Only(&["interactions/reindex.rs"])),
    ("advance_job", Bound::Only(&["interactions/reindex.rs"])),
    ("end_job", Bound::Only(&["interactions/reindex.rs"])),
    ("forget_job", Bound::Only(&["interactions/reindex.rs"])),
    ("load_marks", Bound::Only(&["load/database.rs"])),
    ("forget_load", Bound::Nothing),
    ("mark_loaded", Bound::Nothing),
    // Definitions, which are shared.
    ("own_parameters", Bound::Nothing),
    ("is_defined_elsewhere", Bound::Nothing),
    ("rules", Bound::Nothing),
    ("index_rules", Bound::Nothing),
    ("settle_zone", Bound::Nothing),
    ("change_zone", Bound::Nothing),
    ("ready", Bound::Nothing),
    // What a write holds, before `interactions::sight` has judged it.
    ("lock", Bound::Only(&["interactions/sight.rs"])),
    // What a write stores, which `interactions::sight` judges before it is over.
    ("put", Bound::Only(&["interactions/prepared.rs", "interactions/delete.rs"])),
    (
        "put_all",
        Bound::Only(&["interactions/bundle/transaction.rs", "interactions/delete.rs", "interactions/recorded.rs"]),
    ),
    ("end_creators", Bound::Nothing),
    ("lock_text", Bound::Nothing),
    ("pack", Bound::Nothing),
    ("attempt", Bound::Nothing),
    // How a search was done, for administrators.
    ("record", Bound::Nothing),
    ("about", Bound::Nothing),
    ("recorded", Bound::Nothing),
    // Of people, clients and grants; no resources.
    ("account", Bound::Nothing),
    ("account_by_email", Bound::Nothing),
    ("client", Bound::Nothing),
    ("clients", Bound::Nothing),
    ("grant", Bound::Nothing),
    ("grants_of_account", Bound::Nothing),
    ("grants_of_client", Bound::Nothing),
    ("grants_to_apps", Bound::Nothing),
    ("grants_to_app", Bound::Nothing),
    ("standing_of_account", Bound::Nothing),
    ("grants_on", Bound::Nothing),
    ("grants_on_all", Bound::Nothing),
    ("access_generation", Bound::Nothing),
    ("access_token", Bound::Nothing),
    ("session", Bound::Nothing),
    ("sessions_of", Bound::Nothing),
    ("add_session", Bound::Nothing),
    ("see_session", Bound::Nothing),
    ("renew_session", Bound::Nothing),
    ("end_session", Bound::Nothing),
    ("end_other_sessions", Bound::Nothing),
    ("authorization_code", Bound::Nothing),
    ("add_authorization_code", Bound::Nothing),
    ("use_authorization_code", Bound::Nothing),
    ("launch", Bound::Nothing),
    ("add_launch", Bound::Nothing),
    ("take_launch", Bound::Nothing),
    ("revoke_tokens_of", Bound::Nothing),
    ("signing_keys", Bound::Nothing),
    ("add_signing_key", Bound::Nothing),
    ("forget_signing_keys", Bound::Nothing),
    ("token_context", Bound::Nothing),
    // Whether there are any rules, and whom a role or a Person stands for.
    ("has_consent_rules", Bound::Nothing),
    ("referred_by", Bound::Only(&["auth/holder.rs"])),
    ("identity", Bound::Nothing),
    ("identities_of", Bound::Nothing),
    ("add_account", Bound::Nothing),
    ("disable_account", Bound::Nothing),
    ("clients_owned_by", Bound::Nothing),
    ("client_logo", Bound::Nothing),
    ("client_members", Bound::Nothing),
    ("asked_parts", Bound::Nothing),
    ("grant_uses", Bound::Nothing),
    ("add_client", Bound::Nothing),
    ("update_client", Bound::Nothing),
    ("set_client_standing", Bound::Nothing),
    ("rotate_secret", Bound::Nothing),
    ("set_client_logo", Bound::Nothing),
    ("set_client_member", Bound::Nothing),
    ("ask_client_member", Bound::Nothing),
    ("remove_client_member", Bound::Nothing),
    ("add_invite", Bound::Nothing),
    ("use_invite", Bound::Nothing),
    ("device_code", Bound::Nothing),
    ("device_code_shown", Bound::Nothing),
    ("add_device_code", Bound::Nothing),
    ("note_device_poll", Bound::Nothing),
    ("try_device_code", Bound::Nothing),
    ("settle_device_code", Bound::Nothing),
    ("revoke_tokens_of_client", Bound::Nothing),
    ("suspend_client", Bound::Nothing),
    ("add_grant", Bound::Nothing),
    ("end_grant", Bound::Nothing),
    ("lock_access", Bound::Nothing),
    ("bump", Bound::Nothing),
    ("add_identity", Bound::Nothing),
    ("use_identity", Bound::Nothing),
    ("remove_identity", Bound::Nothing),
    ("add_token", Bound::Nothing),
    ("revoke_token", Bound::Nothing),
    ("revoke_family", Bound::Nothing),
    ("use_jwt", Bound::Nothing),
    // Credentials of an account, and what happened with it.
    ("passkey", Bound::Nothing),
    ("passkeys_of", Bound::Nothing),
    ("authenticator", Bound::Nothing),
    ("recovery_codes_left", Bound::Nothing),
    ("set_password", Bound::Nothing),
    ("rehash_password", Bound::Nothing),
    ("add_passkey", Bound::Nothing),
    ("use_passkey", Bound::Nothing),
    ("remove_passkey", Bound::Nothing),
    ("offer_authenticator", Bound::Nothing),
    ("confirm_authenticator", Bound::Nothing),
    ("use_authenticator_step", Bound::Nothing),
    ("remove_authenticator", Bound::Nothing),
    ("replace_recovery_codes", Bound::Nothing),
    ("use_recovery_code", Bound::Nothing),
    ("happenings", Bound::Nothing),
    ("knows_place", Bound::Nothing),
    ("has_accounts", Bound::Nothing),
    ("has_operator", Bound::Nothing),
    ("set_up_link", Bound::Nothing),
    ("add_happening", Bound::Nothing),
    ("note_place", Bound::Nothing),
    ("offer_set_up", Bound::Nothing),
    ("end_set_up", Bound::Nothing),
    // The trail, which the operator's commands and the server itself read; `interactions::trail` judges each event before it is
    // given out.
    ("audit_heads", Bound::Only(&["audit/chain.rs", "interactions/trail/mod.rs"])),
    ("audit_links", Bound::Only(&["audit/chain.rs", "interactions/trail/mod.rs", "interactions/trail/walk.rs"])),
    ("audit_walk", Bound::Only(&["audit/chain.rs", "interactions/trail/walk.rs"])),
    ("audit_patients", Bound::Only(&["audit/chain.rs"])),
    ("audit_patient_count", Bound::Only(&["audit/chain.rs"])),
    ("ownership", Bound::Only(&["audit/owners.rs"])),
    ("append_audit", Bound::Nothing),
];

/// Who may see everything, and for what.
const UNBOUNDED: &[(&str, &[&str])] = &[
    // An open server, or what `Caller::system` names; and that a Patient is there, before it becomes a record.
    // The trail names whose a version was that is no longer in the index; nobody is given the version.
    (
        "Guard::unbounded(",
        &[
            "audit/owners.rs",
            // What stands where the caller has been let write: its code and subject, to compare.
            "interactions/app_state.rs",
            // Of what is deleted by now: its last version, to judge by.
            "interactions/history.rs",
            "interactions/prepared.rs",
            "interactions/sight.rs",
            "interactions/verify.rs",
            "records/custody.rs",
        ],
    ),
    // An open server and jobs; what a criterion alone finds, for administrators who ask to have a search explained.
    ("AccessFilter::everything()", &["access/mod.rs", "interactions/search_cost.rs"]),
    ("Caller::system(", &["cli/load.rs", "cli/reindex.rs", "demo/mod.rs", "records/custody.rs"]),
    ("Caller::open()", &["http/caller.rs"]),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// Each file of the source by its path in `src`, without tests of its own.
fn sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let mut sources = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs")) {
        let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
        if !name.ends_with("tests.rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            sources.push((name, text));
        }
    }
    sources
}

/// The public calls of `Reader` and `Tx`, each with what it takes and gives.
fn calls() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (_, text) in sources().iter().filter(|(name, _)| name.starts_with("store/")) {
        for block in text.split("\nimpl").skip(1) {
            let (head, rest) = block.split_once('{').unwrap();
            if !head.contains(" Reader<") && !head.contains(" Tx<") || head.contains(" for ") {
                continue;
            }
            let body = &rest[..rest.find("\n}").unwrap()];
            for call in body.split("    pub fn ").skip(1) {
                let name: String =
                    call.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                found.push((name, call[..call.find(" {\n").unwrap()].to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_call_of_the_store_has_its_row() {
    let calls = calls();
    assert!(calls.len() > 50, "{calls:?}");
    let mut wrong = Vec::new();
    for (name, signature) in &calls {
        match CALLS.iter().find(|row| row.0 == name) {
            None => wrong.push(format!("{name}: say in tests/it/leak/store_calls.rs what bounds it")),
            Some((_, Bound::Guard)) if !signature.contains("guard: &Guard") => {
                wrong.push(format!("{name} takes no guard"))
            }
            Some((_, Bound::Statement)) if !signature.contains("query: &Query") => {
                wrong.push(format!("{name} takes no statement"));
            }
            Some(_) => {}
        }
    }
    let known: BTreeSet<&str> = calls.iter().map(|call| call.0.as_str()).collect();
    wrong.extend(CALLS.iter().filter(|row| !known.contains(row.0)).map(|row| format!("there is no {}", row.0)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_has_no_bound_is_called_by_those_that_are_named_alone() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (call, bound) in CALLS {
        let Bound::Only(callers) = bound else { continue };
        for (name, text) in sources.iter().filter(|(name, _)| !name.starts_with("store/")) {
            let is_called = text.contains(&format!("reader.{call}(")) || text.contains(&format!("tx.{call}("));
            if is_called && !callers.contains(&name.as_str()) {
                wrong.push(format!("src/{name} calls {call}"));
            }
        }
    }
    for (words, callers) in UNBOUNDED {
        for (name, text) in &sources {
            let is_said = text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(words));
            if is_said && !callers.contains(&name.as_str()) {
                wrong.push(format!("src/{name} says {words}"));
            }
        }
    }
    assert!(wrong.is_empty(), "say in tests/it/leak/store_calls.rs why: {}", wrong.join("\n"));
}
