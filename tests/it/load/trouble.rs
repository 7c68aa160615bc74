//! When the server does not answer as hoped: what is sent again, and what never twice.

use serde_json::{Value, json};

use crate::load::scratch::Scratch;
use crate::load::stub::{Say, Stub, done};
use crate::support::{bundle, patient};

fn busy(status: u16) -> Say {
    Say::Answer(status, "Retry-After: 0", String::new())
}

/// A transaction with a create: done twice, it creates two.
fn create() -> Value {
    bundle("transaction", &[json!({ "resource": patient("1"), "request": { "method": "POST", "url": "Patient" } })])
}

/// A transaction with an update: done twice, it is as done once.
fn update() -> Value {
    let mut resource = patient("1");
    resource["id"] = json!("a");
    bundle("transaction", &[json!({ "resource": resource, "request": { "method": "PUT", "url": "Patient/a" } })])
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let scratch = Scratch::make();
    scratch.json("a.json", &create());
    let stub = Stub::start(vec![busy(503), busy(429), done(1, "201 Created")]);
    let run = scratch.load(&["--server", &stub.base]);

    assert_eq!((run.code, stub.asked().len()), (0, 3), "{}", run.told);
    assert_eq!(run.summary["types"], json!({ "Patient": 1 }));
}

#[test]
fn a_server_that_stays_busy_ends_the_load_which_can_go_on() {
    let scratch = Scratch::make();
    scratch.json("a.json", &create());
    let stub = Stub::start(vec![busy(503)]);
    let run = scratch.load(&["--server", &stub.base]);

    assert_eq!((run.code, stub.asked().len()), (1, 8), "{}", run.told);
    assert!(run.told.contains("--resume"), "{}", run.told);
    assert_eq!(run.summary, Value::Null);
}

#[test]
fn a_create_whose_answer_was_lost_is_never_sent_again_by_itself() {
    let scratch = Scratch::make();
    scratch.json("a.json", &create());
    let stub = Stub::start(vec![Say::Nothing]);
    let first = scratch.load(&["--server", &stub.base]);
    let resumed = scratch.load(&["--server", &stub.base, "--resume"]);

    assert_eq!((first.code, resumed.code), (1, 1), "{}", first.told);
    assert_eq!(stub.asked().len(), 1, "{}", first.told);
    assert!(first.told.contains("it is not known whether the server stored this"), "{}", first.told);
    assert!(resumed.told.contains("may be stored already"), "{}", resumed.told);

    let anew = scratch.load(&["--server", &stub.base]);

    assert_eq!((anew.code, stub.asked().len()), (1, 2), "{}", anew.told);
}

#[test]
fn an_update_whose_answer_was_lost_is_sent_again() {
    let scratch = Scratch::make();
    scratch.json("a.json", &update());
    let stub = Stub::start(vec![Say::Nothing, done(1, "200 OK")]);
    let run = scratch.load(&["--server", &stub.base]);

    assert_eq!((run.code, stub.asked().len()), (0, 2), "{}", run.told);
}

#[test]
fn a_batch_that_is_refused_as_a_whole_is_sent_in_parts() {
    let scratch = Scratch::make();
    let lines: Vec<Value> = (0..4).map(|number| patient(&number.to_string())).collect();
    scratch.lines("a.ndjson", &lines);
    let too_large = Say::Answer(413, "", String::new());
    let stub = Stub::start(vec![too_large.clone(), done(2, "201"), too_large, done(1, "201"), done(1, "201")]);
    let run = scratch.load(&["--server", &stub.base]);

    assert_eq!((run.code, stub.asked().len()), (0, 5), "{}", run.told);
    assert_eq!(run.summary["types"], json!({ "Patient": 4 }));
}

#[test]
fn a_caller_who_may_not_write_ends_the_load() {
    let scratch = Scratch::make();
    scratch.json("a.json", &create());
    scratch.json("b.json", &create());
    let stub = Stub::start(vec![Say::Answer(401, "", String::new())]);
    let run = scratch.load(&["--server", &stub.base]);

    assert_eq!((run.code, stub.asked().len()), (1, 1));
    assert!(run.told.contains("401"), "{}", run.told);
}

#[test]
fn a_redirect_is_not_followed() {
    let scratch = Scratch::make();
    scratch.json("a.json", &update());
    let other = Stub::start(vec![done(1, "200")]);
    let place: &'static str = format!("Location: {}", other.base).leak();
    let stub = Stub::start(vec![Say::Answer(307, place, String::new())]);
    let run = scratch.load(&["--server", &stub.base, "--token", "s3cret"]);

    assert_eq!((run.code, stub.asked().len(), other.asked().len()), (1, 1, 0), "{}", run.told);
}

#[test]
fn where_no_fhir_server_is_nothing_is_sent() {
    let scratch = Scratch::make();
    scratch.json("a.json", &create());
    let nobody = scratch.load(&["--server", "http://127.0.0.1:9/fhir"]);

    assert_eq!(nobody.code, 1);
    assert!(nobody.told.contains("there is no FHIR server at http://127.0.0.1:9/fhir"), "{}", nobody.told);
    for address in ["127.0.0.1:9", "ftp://127.0.0.1", "http://ana:pw@127.0.0.1/fhir"] {
        let run = scratch.load(&["--server", address]);
        assert_eq!(run.code, 2, "{address}");
        assert!(!run.told.contains("pw"), "{}", run.told);
    }
}
