//! Many clients at once.
//!
//! Spec: R4 http.html#ccreate, #concurrency

use std::collections::BTreeSet;

use http::Method;
use serde_json::json;

use crate::support::{TestServer, identifier, on_both, patient};

on_both!(
    many_clients_that_create_the_same_create_one,
    no_increment_of_many_clients_is_lost,
    readers_see_a_version_whole_while_it_is_written,
);

const CREATORS: usize = 64;
const ROUNDS: usize = 50;
const WRITERS: usize = 16;
const INCREMENTS: usize = 100;

/// Runs the futures together.
pub async fn together<T: 'static>(work: Vec<impl Future<Output = T> + 'static>) -> Vec<T> {
    let running: Vec<_> = work.into_iter().map(actix_web::rt::spawn).collect();
    let mut done = Vec::with_capacity(running.len());
    for one in running {
        done.push(one.await.unwrap());
    }
    done
}

async fn many_clients_that_create_the_same_create_one(server: &TestServer) {
    for round in 0..ROUNDS {
        let number = format!("round-{round}");
        let requests = (0..CREATORS).map(|_| {
            let request = server.request(Method::POST, "Patient").header("If-None-Exist", &identifier(&number));
            request.json(&patient(&number)).send()
        });
        let answers = together(requests.collect()).await;

        let created = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(created, 1, "round {round}");
        let others: BTreeSet<u16> =
            answers.iter().map(|answer| answer.status).filter(|status| *status != 201).collect();
        assert_eq!(others, BTreeSet::from([200]), "round {round}");
        let ids: BTreeSet<String> =
            answers.iter().map(|answer| answer.json()["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), 1, "round {round}");
        assert_eq!(server.found(&format!("Patient?{}", identifier(&number))).await.len(), 1);
    }
}

async fn no_increment_of_many_clients_is_lost(server: &TestServer) {
    let counter =
        |count: usize| json!({ "resourceType": "Basic", "id": "counter", "code": { "text": count.to_string() } });
    server.put("Basic/counter", &counter(0)).await.expect(201);
    let work = (0..WRITERS).map(|_| {
        let client = crate::support::client::client();
        let address = format!("{}/Basic/counter", server.base);
        async move {
            let request = |method| crate::support::client::Request::new(&client, method, &address);
            let mut refusals = 0_usize;
            for _ in 0..INCREMENTS {
                loop {
                    let read = request(Method::GET).send().await.expect(200);
                    let count: usize = read.json()["code"]["text"].as_str().unwrap().parse().unwrap();
                    let next = counter(count + 1);
                    let written =
                        request(Method::PUT).header("If-Match", &read.header("ETag")).json(&next).send().await;
                    match written.status {
                        200 => break,
                        412 => refusals += 1,
                        _ => panic!("{}", written.text()),
                    }
                }
            }
            refusals
        }
    });
    let refusals: usize = together(work.collect()).await.into_iter().sum();

    let read = server.get("Basic/counter").await.json();
    let total = WRITERS * INCREMENTS;
    assert_eq!(read["code"]["text"], total.to_string());
    assert_eq!(read["meta"]["versionId"], (total + 1).to_string());
    assert!(refusals > 0, "the clients must have met each other");
}

async fn readers_see_a_version_whole_while_it_is_written(server: &TestServer) {
    let body = |number: usize| {
        json!({ "resourceType": "Patient", "id": "whole",
            "name": [{ "family": number.to_string() }], "address": [{ "city": number.to_string() }] })
    };
    server.put("Patient/whole", &body(0)).await.expect(201);
    let reads: Vec<_> = (0..200).map(|_| server.request(Method::GET, "Patient/whole").send()).collect();
    let reading = actix_web::rt::spawn(together(reads));
    for number in 1..40 {
        server.put("Patient/whole", &body(number)).await.expect(200);
    }

    for answer in reading.await.unwrap() {
        let read = answer.expect(200).json();
        assert_eq!(read["name"][0]["family"], read["address"][0]["city"]);
        let number: usize = read["name"][0]["family"].as_str().unwrap().parse().unwrap();
        assert_eq!(read["meta"]["versionId"], (number + 1).to_string());
    }
}
