//! What holds for all of these commands.

use crate::support::TestServer;
use crate::support::on_both;
use crate::support::program::run;

on_both!(what_is_no_value_for_a_flag_is_refused_by_its_name);

async fn what_is_no_value_for_a_flag_is_refused_by_its_name(server: &TestServer) {
    let person = ["add", "--email", "a@example.org", "--name", "A"];
    let grant = ["add", "--record", "Patient/a", "--to", "a@example.org", "--level", "view"];
    let client = ["add", "--name", "A", "--kind", "public", "--scope", "patient/*.rs"];
    let with = |base: &[&'static str], flag: &'static str, value: &'static str| {
        let place = base.iter().position(|word| *word == flag);
        let mut all = base.to_vec();
        match place {
            Some(place) => all[place + 1] = value,
            None => all.extend([flag, value]),
        }
        all
    };
    let table = [
        ("person", with(&person, "--email", "a"), "--email"),
        ("person", with(&person, "--name", " "), "--name"),
        ("person", with(&person, "--role", "boss"), "--role"),
        ("person", with(&person, "--fhir-user", "Organization/1"), "--fhir-user"),
        ("person", vec!["add", "--name", "A"], "--email"),
        ("record", vec!["add", "--custodian", "a@example.org"], "--existing"),
        ("record", vec!["add", "--custodian", "a@example.org", "--existing", "a"], "--existing"),
        ("record", vec!["add", "--existing", "Patient/a"], "--custodian"),
        ("grant", with(&grant, "--record", "Observation/a"), "--record"),
        ("grant", with(&grant, "--level", "own-choice"), "--level"),
        ("grant", with(&grant, "--labels", "all"), "--labels"),
        ("grant", with(&grant, "--until", "tomorrow"), "--until"),
        ("grant", with(&grant, "--reason", ""), "--reason"),
        ("grant", vec!["add", "--record", "Patient/a", "--to", "a@example.org"], "--level"),
        ("grant", vec!["list"], "--record"),
        ("grant", vec!["list", "--record", "Patient/a", "--to", "a@example.org"], "--to"),
        ("grant", vec!["end", "first"], "ID"),
        ("client", with(&client, "--kind", "secret"), "--kind"),
        ("client", vec!["add", "--name", "A", "--kind", "public"], "--scope"),
        ("client", vec!["suspend"], "ID"),
    ];
    for (command, arguments, wanted) in table {
        let ended = run(server, command, &arguments);

        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{command} {arguments:?}: {}", ended.told);
        assert!(ended.told.contains(wanted), "{wanted}: {}", ended.told);
    }
}
