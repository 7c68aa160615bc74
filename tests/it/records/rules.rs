//! What somebody who is not the operator may give and end. No command asks on their behalf: pages and interfaces will.

use emberwell::clock::now_us;
use emberwell::fhir::Id;
use emberwell::records::{Grantor, RecordError, RecordId, Share, Terms, end_grant, share};
use emberwell::store::{Grant, GrantLevel, Grantee, Labels, NewGrant, StoreError, Tx};

use crate::records::{adopt, person, read, store};
use crate::support::{TestServer, on_both, patient_called};

on_both!(
    only_a_custodian_shares,
    nobody_gives_more_than_they_hold,
    a_custodian_ends_any_grant_on_the_record_and_others_their_own,
    a_disabled_custodian_shares_nothing,
);

const DAY_US: i64 = 24 * 3_600_000_000;

fn write<T: Send + 'static>(
    server: &TestServer,
    work: impl FnMut(&mut Tx<'_>) -> Result<T, RecordError> + Send + 'static,
) -> Result<T, RecordError> {
    store(server).write(work)
}

/// Shares `record` by `level` as `by`.
fn shared(server: &TestServer, by: Grantor, wanted: &Share) -> Result<Grant, RecordError> {
    let wanted = wanted.clone();
    write(server, move |tx| share(tx, &wanted, by, now_us()))
}

fn ended(server: &TestServer, by: Grantor, id: i64) -> Result<Grant, RecordError> {
    write(server, move |tx| end_grant(tx, id, by, now_us()))
}

fn view(record: &str, to: &str) -> Share {
    Share {
        record: record.parse().unwrap(),
        to: to.parse().unwrap(),
        terms: Terms::of_level(GrantLevel::View),
        until_us: None,
        reason: None,
    }
}

fn number(server: &TestServer, email: &str) -> i64 {
    read(server, |reader| reader.account_by_email(email)).unwrap().id
}

/// Anna keeps the record; Bert and Carla are there.
async fn family(server: &TestServer) -> (String, [String; 3]) {
    let people = ["Anna", "Bert", "Carla"].map(|name| person(server, name));
    let record = format!("Patient/{}", server.create(&patient_called("Berg")).await);
    adopt(server, &record, &people[0]);
    (record, people)
}

async fn only_a_custodian_shares(server: &TestServer) {
    let (record, [anna, bert, carla]) = family(server).await;
    let [by_anna, by_bert] = [&anna, &bert].map(|email| Grantor::Account(number(server, email)));
    let others = format!("Patient/{}", server.create(&patient_called("Dahl")).await);

    let modify = Share { terms: Terms::of_level(GrantLevel::Modify), ..view(&record, &bert) };
    let made = shared(server, by_anna, &modify).unwrap();
    assert_eq!((made.origin.as_str(), made.granted_by), ("custodian", Some(number(server, &anna))));
    let not_custodian = shared(server, by_bert, &view(&record, &carla)).unwrap_err();
    assert!(matches!(not_custodian, RecordError::NotCustodian(_)), "{not_custodian}");
    let elsewhere = shared(server, by_anna, &view(&others, &carla)).unwrap_err();
    assert!(matches!(elsewhere, RecordError::NotCustodian(_)), "{elsewhere}");
    let unknown = shared(server, Grantor::Account(4711), &view(&record, &carla)).unwrap_err();
    assert!(matches!(unknown, RecordError::NotCustodian(_)), "{unknown}");
}

/// Makes Bert a custodian who holds less than one does by the level.
fn narrow_custodian(server: &TestServer, record: &str, bert: i64, until_us: i64) {
    let RecordId(patient) = record.parse().unwrap();
    let grant = NewGrant {
        patient: Some(patient),
        to: Grantee::Account(bert),
        level: GrantLevel::Custodian,
        scopes: "patient/Observation.rs patient/Patient.r".to_owned(),
        labels: Labels::Restricted,
        sees_history: false,
        until_us: Some(until_us),
        reason: None,
        origin: "import".to_owned(),
        granted_by: None,
    };
    store(server).write(move |tx| tx.add_grant(&grant)).map_err(|error: StoreError| error.to_string()).unwrap();
}

async fn nobody_gives_more_than_they_hold(server: &TestServer) {
    let (record, [_, bert, carla]) = family(server).await;
    let until_us = now_us() + DAY_US;
    let by_bert = Grantor::Account(number(server, &bert));
    narrow_custodian(server, &record, number(server, &bert), until_us);
    let terms = || Terms::choose(None, Some("patient/Observation.r")).unwrap();
    let fits = Share { terms: terms(), until_us: Some(until_us), ..view(&record, &carla) };

    let too_much = [
        ("scopes", Share { terms: Terms::of_level(GrantLevel::View), ..fits.clone() }),
        ("scopes", Share { terms: Terms::choose(None, Some("patient/Observation.c")).unwrap(), ..fits.clone() }),
        ("labels", Share { terms: Terms { labels: Labels::VeryRestricted, ..terms() }, ..fits.clone() }),
        ("versions", Share { terms: Terms { sees_history: true, ..terms() }, ..fits.clone() }),
        ("end", Share { until_us: Some(until_us + 1), ..fits.clone() }),
        ("end", Share { until_us: None, ..fits.clone() }),
    ];
    for (what, wanted) in too_much {
        let refusal = shared(server, by_bert, &wanted).unwrap_err();
        assert!(matches!(refusal, RecordError::BeyondGrantor(_)), "{refusal}");
        assert!(refusal.to_string().contains(what), "{what}: {refusal}");
    }
    assert!(shared(server, by_bert, &fits).is_ok());
    let labelled = Share { terms: Terms { labels: Labels::Restricted, ..terms() }, ..fits };
    assert!(shared(server, by_bert, &labelled).is_ok());
}

async fn a_custodian_ends_any_grant_on_the_record_and_others_their_own(server: &TestServer) {
    let (record, [anna, bert, carla]) = family(server).await;
    let [by_anna, by_bert, by_carla] = [&anna, &bert, &carla].map(|email| Grantor::Account(number(server, email)));
    let to_bert = shared(server, by_anna, &view(&record, &bert)).unwrap();
    let to_carla = shared(server, Grantor::Operator, &view(&record, &carla)).unwrap();

    let hidden = ended(server, by_bert, to_carla.id).unwrap_err();
    assert!(matches!(hidden, RecordError::NoGrant(_)), "{hidden}");
    assert!(ended(server, by_bert, to_bert.id).unwrap().ended_us.is_some(), "their own");
    let again = ended(server, by_bert, to_bert.id).unwrap_err();
    assert!(matches!(again, RecordError::GrantEnded(_)), "{again}");
    assert!(ended(server, by_anna, to_carla.id).is_ok(), "a custodian");
    let gone = ended(server, by_carla, 4711).unwrap_err();
    assert!(matches!(gone, RecordError::NoGrant(_)), "{gone}");
    let own = read(server, |reader| reader.grants_on(&Id::parse(&record["Patient/".len()..]).unwrap()))[0].id;
    let last = ended(server, by_anna, own).unwrap_err();
    assert!(matches!(last, RecordError::LastCustodian(_)), "{last}");
}

async fn a_disabled_custodian_shares_nothing(server: &TestServer) {
    let (record, [anna, bert, carla]) = family(server).await;
    let custodian = Share { terms: Terms::of_level(GrantLevel::Custodian), ..view(&record, &bert) };
    shared(server, Grantor::Operator, &custodian).unwrap();
    let by_anna = number(server, &anna);
    store(server).write(move |tx| tx.disable_account(by_anna)).map_err(|error: StoreError| error.to_string()).unwrap();

    let refusal = shared(server, Grantor::Account(by_anna), &view(&record, &carla)).unwrap_err();

    assert!(matches!(refusal, RecordError::NotCustodian(_)), "{refusal}");
}
