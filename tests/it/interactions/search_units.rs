//! Search for quantities in other units than the record's.
//!
//! Spec: R4 search.html#quantity; UCUM 2.2

use serde_json::{Value, json};

use crate::support::{TestServer, on_both};

on_both!(
    weights_are_found_in_pounds_and_kilograms,
    pressures_are_found_in_millimetres_of_mercury_and_kilopascals,
    temperatures_are_found_on_each_scale,
    concentrations_are_found_in_each_unit,
    international_units_are_compared_with_themselves_alone,
    a_code_that_is_no_ucum_is_searched_as_written,
    without_a_system_numbers_are_compared_as_written,
    ranges_and_series_are_found_in_other_units,
    components_are_found_in_other_units,
    more_digits_than_a_double_has_still_find_the_amount,
    many_amounts_are_found_by_their_own_units,
    an_updated_amount_is_found_by_what_it_is_now,
);

/// An Observation with the amount `value` of the unit `code`.
fn measured(id: &str, value: &str, code: &str) -> Value {
    let value: Value = serde_json::from_str(value).unwrap();
    with(id, "valueQuantity", json!({ "value": value, "system": "http://unitsofmeasure.org", "code": code }))
}

fn with(id: &str, element: &str, value: Value) -> Value {
    let mut observation = json!({
        "resourceType": "Observation", "id": id, "status": "final", "code": { "text": "test" },
    });
    observation[element] = value;
    observation
}

async fn fill(server: &TestServer, observations: &[Value]) {
    for observation in observations {
        server.put(&format!("Observation/{}", observation["id"].as_str().unwrap()), observation).await.expect(201);
    }
}

/// Checks which ids each amount finds, `value code` with the system of UCUM.
async fn check(server: &TestServer, cases: &[(&str, &[&str])]) {
    for (amount, wanted) in cases {
        let (value, code) = amount.split_once(' ').unwrap();
        let code =
            code.replace('%', "%25").replace('[', "%5B").replace(']', "%5D").replace('{', "%7B").replace('}', "%7D");
        check_written(server, &format!("{value}|http://unitsofmeasure.org|{code}"), wanted).await;
    }
}

async fn check_written(server: &TestServer, search: &str, wanted: &[&str]) {
    let mut found = server.found(&format!("Observation?value-quantity={search}")).await;
    found.sort();
    assert_eq!(found, *wanted, "{search}");
}

async fn weights_are_found_in_pounds_and_kilograms(server: &TestServer) {
    fill(
        server,
        &[
            measured("kg", "70.0", "kg"),
            measured("lb", "154.3", "[lb_av]"),
            measured("g", "69989.302691", "g"),
            measured("cm", "70", "cm"),
        ],
    )
    .await;

    check(
        server,
        &[
            ("70 kg", &["g", "kg", "lb"]),
            ("70.0 kg", &["g", "kg", "lb"]),
            ("70.00 kg", &["kg"]),
            ("154.3 [lb_av]", &["g", "kg", "lb"]),
            ("154.30 [lb_av]", &["g", "lb"]),
            ("gt154.3 [lb_av]", &["kg"]),
            ("ge154.3 [lb_av]", &["g", "kg", "lb"]),
            ("lt70 kg", &["g", "lb"]),
            ("le69989.302691 g", &["g", "lb"]),
            ("lt69989.302691 g", &[]),
            ("gt69.989302691 kg", &["kg"]),
            ("ne154.30 [lb_av]", &["kg"]),
            ("ap11 [stone_av]", &["g", "kg", "lb"]),
            ("7e4 g", &["g", "kg", "lb"]),
            ("70 cm", &["cm"]),
            ("0.7 m", &["cm"]),
        ],
    )
    .await;
}

async fn pressures_are_found_in_millimetres_of_mercury_and_kilopascals(server: &TestServer) {
    fill(
        server,
        &[measured("mmhg", "120", "mm[Hg]"), measured("kpa", "15.99864", "kPa"), measured("high", "21.3", "kPa")],
    )
    .await;

    check(
        server,
        &[
            ("120 mm[Hg]", &["kpa", "mmhg"]),
            ("16.0 kPa", &["kpa", "mmhg"]),
            ("15.99864 kPa", &["kpa", "mmhg"]),
            ("gt120 mm[Hg]", &["high"]),
            ("gt15.99864 kPa", &["high"]),
            ("lt15.99864 kPa", &[]),
            ("ge140 mm[Hg]", &["high"]),
            ("160 mm[Hg]", &["high"]),
            ("160.00 mm[Hg]", &[]),
        ],
    )
    .await;
}

async fn temperatures_are_found_on_each_scale(server: &TestServer) {
    fill(
        server,
        &[
            measured("well", "37", "Cel"),
            measured("same", "98.6", "[degF]"),
            measured("fever", "102.2", "[degF]"),
            measured("kelvin", "312.15", "K"),
        ],
    )
    .await;

    check(
        server,
        &[
            ("37 Cel", &["same", "well"]),
            ("98.6 [degF]", &["same", "well"]),
            ("98.60 [degF]", &["same", "well"]),
            ("310.15 K", &["same", "well"]),
            ("39.0 Cel", &["fever", "kelvin"]),
            ("gt37 Cel", &["fever", "kelvin"]),
            ("gt98.6 [degF]", &["fever", "kelvin"]),
            ("le98.6 [degF]", &["same", "well"]),
            ("lt37 Cel", &[]),
            // Ten percent of 30 degrees are 3 degrees.
            ("ap35 Cel", &["same", "well"]),
            ("ap30 Cel", &[]),
        ],
    )
    .await;
}

async fn concentrations_are_found_in_each_unit(server: &TestServer) {
    fill(
        server,
        &[
            measured("mg", "126", "mg/dL"),
            measured("g", "1.26", "g/L"),
            measured("mol", "7.0", "mmol/L"),
            measured("cells", "4.5", "10*3/uL"),
            measured("share", "45", "%"),
        ],
    )
    .await;

    check(
        server,
        &[
            ("126 mg/dL", &["g", "mg"]),
            ("1.26 g/L", &["g", "mg"]),
            ("1.260 g/L", &["g", "mg"]),
            ("1.3 g/L", &["g", "mg"]),
            ("gt1.26 g/L", &[]),
            ("lt127 mg/dL", &["g", "mg"]),
            ("0.7 umol/cL", &[]),
            ("7000 umol/L", &["mol"]),
            ("7 meq/L", &["mol"]),
            ("4500 /uL", &["cells"]),
            ("4.5 10*9/L", &["cells"]),
            ("4500 {cells}/uL", &["cells"]),
            ("0.45 1", &["share"]),
        ],
    )
    .await;
}

async fn international_units_are_compared_with_themselves_alone(server: &TestServer) {
    fill(
        server,
        &[
            measured("iu", "20", "[iU]/L"),
            measured("milli", "20", "m[IU]/mL"),
            measured("arbitrary", "20", "[arb'U]/L"),
            measured("enzyme", "20", "U/L"),
        ],
    )
    .await;

    check(
        server,
        &[("20 [IU]/L", &["iu", "milli"]), ("20 [arb'U]/L", &["arbitrary"]), ("20 U/L", &["enzyme"]), ("gt0 /L", &[])],
    )
    .await;
}

async fn a_code_that_is_no_ucum_is_searched_as_written(server: &TestServer) {
    fill(server, &[measured("a", "5", "lbs"), measured("b", "5", "[lb_av]"), measured("c", "5", "W/Cel")]).await;

    check(server, &[("5 lbs", &["a"]), ("gt4 lbs", &["a"]), ("5 W/Cel", &["c"]), ("5 stones", &[])]).await;
    check_written(server, "5|http://unitsofmeasure.org|", &["a", "b", "c"]).await;
}

async fn without_a_system_numbers_are_compared_as_written(server: &TestServer) {
    let other = with("other", "valueQuantity", json!({ "value": 5, "system": "urn:x", "code": "mg" }));
    fill(server, &[measured("mg", "5000", "mg"), measured("g", "5", "g"), other]).await;

    check_written(server, "5", &["g", "other"]).await;
    check_written(server, "5||g", &["g"]).await;
    check_written(server, "5000||mg", &["mg"]).await;
    check_written(server, "lt6", &["g", "other"]).await;
    check_written(server, "5|urn:x|mg", &["other"]).await;
    check_written(server, "5|urn:x|g", &[]).await;
    check_written(server, "5|http://unitsofmeasure.org|", &["g"]).await;
    check(server, &[("5 g", &["g", "mg"]), ("5000 mg", &["g", "mg"])]).await;
}

async fn ranges_and_series_are_found_in_other_units(server: &TestServer) {
    let ucum = |value: f64, code: &str| json!({ "value": value, "system": "http://unitsofmeasure.org", "code": code });
    let condition = |id: &str, range: Value| json!({ "resourceType": "Condition", "id": id, "subject": { "display": "x" }, "onsetRange": range });
    for (id, range) in [
        ("closed", json!({ "low": ucum(24.0, "mo"), "high": ucum(36.0, "mo") })),
        ("open", json!({ "low": ucum(10.0, "a") })),
        ("below", json!({ "high": ucum(1.0, "a") })),
    ] {
        server.put(&format!("Condition/{id}"), &condition(id, range)).await.expect(201);
    }
    let series = json!({
        "origin": ucum(0.0, "mV"), "period": 10, "factor": 0.5, "dimensions": 1, "data": "2 E 40 -6 U"
    });
    fill(server, &[with("series", "valueSampledData", series)]).await;

    for (amount, wanted) in [
        ("gt100", &["open"] as &[&str]),
        ("ge3", &["closed", "open"]),
        ("gt3", &["open"]),
        ("lt1", &["below"]),
        ("le2", &["below", "closed"]),
        ("gt2.5", &["closed", "open"]),
        ("sa2.5", &["open"]),
        ("sa1.5", &["closed", "open"]),
        ("sa10", &[]),
        ("lt2.5", &["below", "closed"]),
        ("eb2.5", &["below"]),
        ("eb3.5", &["below", "closed"]),
        ("eb1", &[]),
    ] {
        let mut found = server.found(&format!("Condition?onset-age={amount}|http://unitsofmeasure.org|a")).await;
        found.sort();
        assert_eq!(found, wanted, "{amount}");
    }
    let found = |query: String| async move {
        let mut found = server.found(&query).await;
        found.sort();
        found
    };
    let years = "|http://unitsofmeasure.org|a";
    let of_many = |first: &str| {
        let others: Vec<String> = (0..9).map(|other| format!("eb-{}{years}", 100 + other)).collect();
        format!("Condition?onset-age={first}{years},{}", others.join(","))
    };
    assert_eq!(found(of_many("sa2.5")).await, ["open"]);
    assert_eq!(found(of_many("eb2.5")).await, ["below"]);
    assert_eq!(found(of_many("gt2.5")).await, ["closed", "open"]);
    assert_eq!(found("Condition?_filter=onset-age%20sa%2030||mo".to_owned()).await, [""; 0]);
    assert_eq!(found("Condition?_filter=onset-age%20sa%2020||mo".to_owned()).await, ["closed"]);
    // A Range that becomes a value, with the same number.
    let age = json!({ "resourceType": "Condition", "id": "closed", "subject": { "display": "x" }, "onsetAge": ucum(24.0, "mo") });
    server.put("Condition/closed", &age).await.expect(200);
    assert_eq!(found(format!("Condition?onset-age=eb2.5{years}")).await, ["below", "closed"]);
    assert_eq!(server.found("Condition?_sort=onset-age").await, ["below", "open", "closed"]);
    check(server, &[("ge0.02 V", &["series"]), ("gt0.02 V", &[]), ("le-3000 uV", &["series"]), ("lt-3000 uV", &[])])
        .await;
}

async fn components_are_found_in_other_units(server: &TestServer) {
    let component = |name: &str, value: f64, unit: &str| {
        let amount = json!({ "value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit });
        json!({ "code": { "coding": [{ "system": "urn:c", "code": name }] }, "valueQuantity": amount })
    };
    let pressure = |id: &str, high: f64, low: f64, unit: &str| {
        with(id, "component", json!([component("high", high, unit), component("low", low, unit)]))
    };
    let top = |id: &str, value: f64, unit: &str| {
        let mut observation = component("high", value, unit);
        (observation["resourceType"], observation["id"], observation["status"]) =
            (json!("Observation"), json!(id), json!("final"));
        observation
    };
    let observations = [
        pressure("mmhg", 150.0, 80.0, "mm[Hg]"),
        pressure("kpa", 20.0, 12.0, "kPa"),
        pressure("lbs", 150.0, 80.0, "lbs"),
        top("whole", 20.0, "kPa"),
    ];
    fill(server, &observations).await;
    let cases: [(&str, &[&str]); 13] = [
        ("component-code-value-quantity=high$gt145|http://unitsofmeasure.org|mm[Hg]", &["kpa", "mmhg"]),
        ("component-code-value-quantity=low$gt145|http://unitsofmeasure.org|mm[Hg]", &[]),
        ("component-code-value-quantity=urn:c|high$150|http://unitsofmeasure.org|mm[Hg]", &["kpa", "mmhg"]),
        ("component-code-value-quantity=high$150.00|http://unitsofmeasure.org|mm[Hg]", &["mmhg"]),
        ("component-code-value-quantity=high$ge20|http://unitsofmeasure.org|kPa", &["kpa"]),
        ("component-code-value-quantity=high$gt145", &["lbs", "mmhg"]),
        ("component-code-value-quantity=high$gt145||mm[Hg]", &["mmhg"]),
        ("component-code-value-quantity=high$20||kPa", &["kpa"]),
        ("component-code-value-quantity=high$150|http://unitsofmeasure.org|lbs", &["lbs"]),
        ("component-code-value-quantity=high$gt1|http://unitsofmeasure.org|kg", &[]),
        ("combo-code-value-quantity=high$gt145|http://unitsofmeasure.org|mm[Hg]", &["kpa", "mmhg", "whole"]),
        ("code-value-quantity=high$0.2000|http://unitsofmeasure.org|bar", &["whole"]),
        ("component-code-value-quantity:missing=true", &["whole"]),
    ];

    for (search, wanted) in cases {
        let address = search.replace('[', "%5B").replace(']', "%5D");
        let mut found = server.found(&format!("Observation?{address}")).await;
        found.sort();
        assert_eq!(found, wanted, "{search}");
    }
    // Rows in the unit of the index are no amounts of their own.
    let found = server.found("Observation?combo-value-quantity:missing=true").await;
    assert!(found.is_empty(), "{found:?}");
    let mut found = server.found("Observation?value-quantity:missing=false").await;
    found.sort();
    assert_eq!(found, ["whole"]);
}

async fn more_digits_than_a_double_has_still_find_the_amount(server: &TestServer) {
    fill(server, &[measured("kg", "5.4", "kg"), measured("g", "5400", "g"), measured("f", "100", "[degF]")]).await;

    check(
        server,
        &[
            ("5.4000000000000000000000000000 kg", &["g", "kg"]),
            ("ne5.4000000000000000000000000000 kg", &[]),
            ("ap5400.0000000000000000000000000 g", &["g", "kg"]),
            ("37.77777777777777777777777777778 Cel", &["f"]),
            ("ge37.77777777777777777777777777778 Cel", &["f"]),
            ("gt37.7777777777777 Cel", &["f"]),
            ("lt37.7777777777778 Cel", &["f"]),
        ],
    )
    .await;
    check_written(server, "5.4000000000000000000000000000", &["kg"]).await;
    check_written(server, "5.4000000000000000000000000000||kg", &["kg"]).await;
}

async fn many_amounts_are_found_by_their_own_units(server: &TestServer) {
    fill(server, &[measured("a", "2", "kg"), measured("b", "3", "[in_i]"), measured("c", "2", "lbs")]).await;
    let amounts = |codes: &[&str]| {
        let written = codes.iter().map(|code| format!("2000|http://unitsofmeasure.org|{code}"));
        written.collect::<Vec<_>>().join(",")
    };

    check_written(server, &amounts(&["g", "m", "s", "K", "C", "cd", "rad", "L", "Pa", "J"]), &["a"]).await;
    check_written(server, "2,3,4,5,6,7,8,9,10", &["a", "b", "c"]).await;
    check_written(server, "2000,3001,4,5,6,7,8,9,10", &[]).await;
    check_written(server, "0.0762,4,5,6,7,8,9,10,11", &[]).await;
    check_written(server, "0.0762|http://unitsofmeasure.org|m,4,5,6,7,8,9,10,11", &["b"]).await;
}

async fn an_updated_amount_is_found_by_what_it_is_now(server: &TestServer) {
    fill(server, &[measured("a", "70", "kg")]).await;
    server.put("Observation/a", &measured("a", "80", "kg")).await.expect(200);

    check(server, &[("70000 g", &[]), ("80000 g", &["a"])]).await;
    server.delete("Observation/a").await.expect(204);
    check(server, &[("80000 g", &[])]).await;
}
