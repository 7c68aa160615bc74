//! Locations near a point.
//!
//! Spec: R4 location.html#search (near)

use serde_json::{Value, json};

use crate::support::{TestServer, on_both};

on_both!(
    locations_are_found_around_a_point,
    poles_and_date_line_are_places_like_others,
    distances_agree_with_the_haversine_formula,
    a_moved_or_deleted_location_is_found_where_it_is_now,
    what_is_no_place_is_refused,
);

fn location(id: &str, latitude: f64, longitude: f64) -> Value {
    json!({
        "resourceType": "Location", "id": id, "name": id, "status": "active",
        "position": { "latitude": latitude, "longitude": longitude }
    })
}

async fn fill(server: &TestServer, locations: &[Value]) {
    for location in locations {
        server.put(&format!("Location/{}", location["id"].as_str().unwrap()), location).await.expect(201);
    }
}

async fn check(server: &TestServer, cases: &[(&str, &[&str])]) {
    for (search, wanted) in cases {
        let mut found = server.found(&format!("Location?{search}")).await;
        found.sort();
        assert_eq!(found, *wanted, "{search}");
    }
}

async fn locations_are_found_around_a_point(server: &TestServer) {
    let mut nowhere = location("nowhere", 0.0, 0.0);
    nowhere.as_object_mut().unwrap().remove("position");
    fill(server, &[location("ulm", 48.4011, 9.9876), location("neuulm", 48.3928, 10.0111), nowhere]).await;
    fill(server, &[location("munich", 48.1374, 11.5755), location("boston", 42.3601, -71.0589)]).await;

    check(
        server,
        &[
            ("near=48.4011|9.9876", &["neuulm", "ulm"]),
            ("near=48.4011|9.9876|0|km", &["ulm"]),
            ("near=48.4011|9.9876|1500|m", &["ulm"]),
            ("near=48.4011|9.9876|130", &["munich", "neuulm", "ulm"]),
            ("near=48.4011|9.9876|76|[mi_us]", &["munich", "neuulm", "ulm"]),
            ("near=48.4011|9.9876|20016|km", &["boston", "munich", "neuulm", "ulm"]),
            ("near=48.4011|9.9876|1|km,42.36|-71.06|1|km", &["boston", "ulm"]),
            ("near=48.4011|9.9876|130|km&near=48.1374|11.5755|1|km", &["munich"]),
            ("near=48.4011|9.9876|130|km&name=ulm", &["ulm"]),
            ("near=0|0|1|km", &[]),
            ("near:missing=true", &["nowhere"]),
            ("near:missing=false", &["boston", "munich", "neuulm", "ulm"]),
        ],
    )
    .await;
}

async fn poles_and_date_line_are_places_like_others(server: &TestServer) {
    fill(server, &[location("north", 90.0, 0.0), location("arctic", 89.95, 170.0), location("south", -90.0, 45.0)])
        .await;
    fill(server, &[location("fiji", -17.0, 179.99), location("east", -17.0, -179.99), location("line", 0.0, 180.0)])
        .await;

    check(
        server,
        &[
            ("near=90|-120", &["arctic", "north"]),
            ("near=89.95|-10|12|km", &["arctic", "north"]),
            ("near=89.95|-10|11|km", &["north"]),
            ("near=-90|0|0", &["south"]),
            ("near=-17|180|2|km", &["east", "fiji"]),
            ("near=-17|-180|2|km", &["east", "fiji"]),
            ("near=0|-180|0|km", &["line"]),
        ],
    )
    .await;
}

fn haversine_m(from: (f64, f64), to: (f64, f64)) -> f64 {
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let across = from.0.to_radians().cos() * to.0.to_radians().cos() * half(to.1 - from.1);
    2.0 * 6_371_008.8 * (half(to.0 - from.0) + across).sqrt().asin()
}

async fn distances_agree_with_the_haversine_formula(server: &TestServer) {
    let centers = [(0.0, 0.0), (52.52, 13.405), (-89.0, 10.0), (71.5, -179.5)];
    let places: Vec<(f64, f64)> =
        (0..24u32).map(|step| (f64::from(step * 37 % 179) - 89.0, f64::from(step * 101 % 359) - 179.0)).collect();
    for (place, (latitude, longitude)) in places.iter().enumerate() {
        fill(server, &[location(&format!("l{place}"), *latitude, *longitude)]).await;
    }

    for center in centers {
        for (place, to) in places.iter().enumerate() {
            let id = format!("l{place}");
            let distance = haversine_m(center, *to);
            let search = |metres: f64| format!("Location?near={}|{}|{metres}|m&_id={id}", center.0, center.1);
            assert_eq!(server.found(&search(distance * 1.000_1)).await, std::slice::from_ref(&id), "{center:?} {to:?}");
            assert!(server.found(&search(distance * 0.999_9)).await.is_empty(), "{center:?} {to:?}");
        }
    }
}

async fn a_moved_or_deleted_location_is_found_where_it_is_now(server: &TestServer) {
    fill(server, &[location("van", 10.0, 10.0)]).await;
    server.put("Location/van", &location("van", 20.0, 20.0)).await.expect(200);

    check(server, &[("near=10|10", &[]), ("near=20|20", &["van"])]).await;
    let encounter = json!({
        "resourceType": "Encounter", "id": "e", "status": "planned", "class": { "code": "AMB" },
        "location": [{ "location": { "reference": "Location/van" } }]
    });
    server.put("Encounter/e", &encounter).await.expect(201);
    assert_eq!(server.found("Encounter?location.near=20|20").await, ["e"]);
    assert!(server.found("Encounter?location.near=10|10").await.is_empty());
    server.delete("Encounter/e").await;

    server.delete("Location/van").await;
    check(server, &[("near=20|20", &[]), ("near:missing=false", &[])]).await;
}

async fn what_is_no_place_is_refused(server: &TestServer) {
    let bad = [
        "near=91|0",
        "near=0|181",
        "near=0",
        "near=a|b",
        "near=0|0|-1|km",
        "near=0|0|1|mile",
        "near=NaN|0",
        "near=0|0|inf",
        "near=0|0|1|km|x",
        "near=0|0|1|km';DROP%20TABLE%20index_position",
        "near:exact=0|0",
    ];

    for query in bad {
        let outcome = server.get(&format!("Location?{query}")).await.refused(400);
        assert!(outcome.to_string().contains("'near'"), "{query}: {outcome}");
    }
    let outcome = server.get("Location?near:missing=x").await.refused(400);
    let text = "a value of 'near:missing' is not valid: ':missing' takes true or false";
    assert!(outcome.to_string().contains(text), "{outcome}");
    server.get("Patient?near=0|0").await.refused(400);
}
