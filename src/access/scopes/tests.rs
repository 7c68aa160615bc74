use super::*;

fn common(left: &str, right: &str) -> String {
    let (left, right) = (ScopeSet::parse(left), ScopeSet::parse(right));
    let common = left.intersection(&right);
    assert!(common.is_within(&left), "{common} is within {left}");
    assert!(common.is_within(&right), "{common} is within {right}");
    common.to_string()
}

fn is_within(left: &str, right: &str) -> bool {
    ScopeSet::parse(left).is_within(&ScopeSet::parse(right))
}

#[test]
fn what_is_given_narrows_and_two_searches_must_both_hold() {
    let table = [
        ("patient/*.rs launch", "patient/Observation.r patient/Observation.cs", "launch patient/Observation.rs"),
        ("patient/Observation.rs?status=final", "patient/*.r", "patient/Observation.r?status=final"),
        (
            "patient/Observation.rs?status=final",
            "patient/Observation.rs?category=laboratory",
            "patient/Observation.rs?status=final&category=laboratory",
        ),
        ("user/Observation.read", "user/*.cruds", "user/Observation.read"),
        ("user/Observation.rs", "patient/Observation.rs", ""),
        ("user/Observation.rs", "user/Observation.cud user/Condition.rs", ""),
        ("openid", "", "openid"),
    ];
    for (asked, given, left) in table {
        let narrowed = ScopeSet::parse(asked).narrowed(ScopeSet::parse(given).scopes());

        assert_eq!(narrowed.to_string(), left, "{asked} by {given}");
    }
}

#[test]
fn scopes_come_back_as_they_were_written() {
    let texts = [
        "patient/Observation.rs",
        "user/*.cruds",
        "system/Patient.c",
        "system/Patient.d",
        "patient/*.cud",
        "patient/Patient.read",
        "patient/*.write",
        "user/*.*",
        "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
        "patient/Observation.rs?category=a%7Cb&code=x%20y",
        "patient/Observation.rs?code=b&category=a",
        "openid fhirUser launch launch/patient launch/encounter offline_access online_access patient/*.rs",
    ];
    for text in texts {
        let set = ScopeSet::parse(text);

        assert_eq!(set.to_string(), text);
        assert_eq!(set.dropped(), &[] as &[String], "{text}");
    }
}

#[test]
fn what_is_not_understood_is_dropped_and_told() {
    let texts = [
        "patient/Observation.sr",
        "patient/Observation.rr",
        "patient/Observation.rx",
        "patient/Observation.",
        "patient/Observation",
        "patient/Observation.READ",
        "patient/Observation.Rs",
        "patient/observation.rs",
        "patient/Reading.rs",
        "patient/Resource.rs",
        "patient/.rs",
        "patient/**.rs",
        "patient/Obs*.rs",
        "Patient/Observation.rs",
        "practitioner/Observation.rs",
        "/Observation.rs",
        "Observation.rs",
        "patient/Observation.rs?",
        "patient/Observation.rs?category",
        "patient/Observation.rs?category=",
        "patient/Observation.rs?=laboratory",
        "patient/Observation.rs?category=a&",
        "patient/Observation.rs?&category=a",
        "patient/Observation.rs?category=%",
        "patient/Observation.rs?category=%ff",
        "patient/Observation.read?category=a",
        "patient/Observation.*?category=a",
        "patient/Observation.rs.rs",
        "patient//Observation.rs",
        "launch/practitioner",
        "OpenID",
        "fhiruser",
        "*",
        "*/*.*",
        "patient/*",
    ];
    for text in texts {
        let set = ScopeSet::parse(&format!("user/Patient.r {text}"));

        assert_eq!(set.dropped(), [text]);
        assert_eq!(set.to_string(), "user/Patient.r", "{text}");
    }
}

#[test]
fn letters_say_what_may_be_done() {
    let of = |text: &str| Scope::parse(text).unwrap().rights;
    let table = [
        ("patient/Patient.c", Rights::of(&[Right::Create])),
        ("patient/Patient.r", Rights::of(&[Right::Read])),
        ("patient/Patient.u", Rights::of(&[Right::Update])),
        ("patient/Patient.d", Rights::of(&[Right::Delete])),
        ("patient/Patient.s", Rights::of(&[Right::Search])),
        ("patient/Patient.cs", Rights::of(&[Right::Create, Right::Search])),
        ("patient/Patient.read", Rights::of(&[Right::Read, Right::Search])),
        ("patient/Patient.write", Rights::of(&[Right::Create, Right::Update, Right::Delete])),
        ("patient/Patient.*", Rights::ALL),
        ("patient/Patient.cruds", Rights::ALL),
    ];
    for (text, wanted) in table {
        assert_eq!(of(text), wanted, "{text}");
    }
}

#[test]
fn queries_are_decoded_and_their_order_says_nothing() {
    let query = |text: &str| Scope::parse(text).unwrap().query;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());

    let twice = query("patient/Observation.rs?code=x%20y&category=http://a|b");

    assert_eq!(twice.pairs(), [pair("category", "http://a|b"), pair("code", "x y")]);
    assert_eq!(twice, query("patient/Observation.rs?category=http%3A%2F%2Fa%7Cb&code=x+y"));
    assert_ne!(twice, query("patient/Observation.rs?code=x%20y"));
    assert!(query("patient/Observation.rs").is_empty());
}

#[test]
fn the_intersection_is_what_both_say() {
    let table = [
        ("patient/Observation.rs", "patient/Observation.rs", "patient/Observation.rs"),
        ("patient/Observation.cruds", "patient/Observation.rs", "patient/Observation.rs"),
        ("patient/Observation.rs", "patient/*.r", "patient/Observation.r"),
        ("patient/*.rs", "patient/Observation.cruds", "patient/Observation.rs"),
        ("patient/*.rs", "patient/*.cruds", "patient/*.rs"),
        ("patient/Observation.rs", "patient/Condition.rs", ""),
        ("patient/Observation.c", "patient/Observation.rs", ""),
        // A context is never exchanged for another.
        ("patient/Observation.rs", "user/*.cruds", ""),
        ("user/Observation.rs", "system/*.cruds", ""),
        // Held in pieces, and more than once.
        ("patient/*.rs", "patient/Observation.r patient/Observation.s", "patient/Observation.rs"),
        ("patient/*.rs", "patient/*.rs patient/Observation.rs", "patient/*.rs"),
        ("patient/*.cruds", "patient/*.rs patient/Observation.cruds", "patient/*.rs patient/Observation.cruds"),
        ("patient/*.rs patient/Patient.rs", "patient/*.rs", "patient/*.rs patient/Patient.rs"),
        ("patient/*.rs patient/*.r", "patient/Patient.r", "patient/Patient.r"),
        // The form of the asking side stays, where it can.
        ("patient/*.read", "patient/*.rs", "patient/*.read"),
        ("patient/*.read", "patient/Observation.cruds", "patient/Observation.read"),
        ("patient/*.*", "patient/*.rs", "patient/*.read"),
        ("patient/*.read", "patient/*.s", "patient/*.s"),
        ("patient/*.rs", "patient/*.read", "patient/*.rs"),
        ("patient/*.read patient/*.write", "patient/*.*", "patient/*.read patient/*.write"),
        // Granular.
        ("patient/Observation.rs?code=a", "patient/Observation.rs", "patient/Observation.rs?code=a"),
        ("patient/Observation.rs?code=a", "patient/*.r", "patient/Observation.r?code=a"),
        ("patient/Observation.rs", "patient/Observation.rs?code=a", "patient/Observation.rs?code=a"),
        ("patient/*.rs", "patient/Observation.rs?code=a", "patient/Observation.rs?code=a"),
        ("patient/Observation.read", "patient/Observation.rs?code=a", "patient/Observation.rs?code=a"),
        ("patient/Observation.rs?code=a", "patient/Observation.rs?code=b", ""),
        ("patient/Observation.rs?code=a", "patient/Observation.rs?code=a&status=final", ""),
        ("patient/Observation.rs?a=1&b=2", "patient/Observation.rs?b=2&a=1", "patient/Observation.rs?a=1&b=2"),
        ("patient/Observation.rs?code=a%7Cb", "patient/Observation.rs?code=a|b", "patient/Observation.rs?code=a%7Cb"),
        (
            "patient/Observation.rs",
            "patient/Observation.rs?code=a patient/Observation.rs?code=b",
            "patient/Observation.rs?code=a patient/Observation.rs?code=b",
        ),
        ("patient/Observation.rs", "patient/Observation.rs?code=a patient/Observation.rs", "patient/Observation.rs"),
        (
            "patient/Observation.rs",
            "patient/Observation.rs?code=a patient/Observation.r",
            "patient/Observation.rs?code=a patient/Observation.r",
        ),
        // Words.
        ("openid fhirUser patient/*.rs", "patient/*.rs openid", "openid patient/*.rs"),
        ("launch/patient", "launch", ""),
        ("", "patient/*.rs", ""),
    ];
    for (left, right, wanted) in table {
        assert_eq!(common(left, right), wanted, "{left} and {right}");
    }
}

#[test]
fn the_intersection_does_not_depend_on_the_side() {
    let sets = [
        "patient/*.rs patient/Observation.cruds openid",
        "patient/Observation.rs?code=a patient/Condition.u patient/*.c",
        "user/*.cruds patient/Observation.rs?code=a patient/Observation.s",
        "patient/*.*",
        "launch openid",
    ];
    for left in sets {
        for right in sets {
            let one = ScopeSet::parse(&common(left, right));
            let other = ScopeSet::parse(&common(right, left));

            assert!(one.is_within(&other) && other.is_within(&one), "{left} and {right}: {one}; {other}");
        }
    }
}

#[test]
fn within_means_that_nothing_is_added() {
    let within = [
        ("", ""),
        ("", "patient/*.rs"),
        ("patient/Observation.rs", "patient/*.rs"),
        ("patient/*.rs", "patient/*.read"),
        ("patient/*.read", "patient/*.rs"),
        ("patient/Observation.rs", "patient/Observation.r patient/*.s"),
        ("patient/Observation.rs?code=a", "patient/Observation.rs"),
        ("patient/Observation.rs?code=a", "patient/Observation.rs?code=a"),
        ("patient/Observation.rs?code=a", "patient/Observation.r?code=a patient/*.s"),
        ("patient/Observation.rs?_tag=a", "patient/*.rs?_tag=a"),
        ("openid", "openid launch"),
    ];
    let beyond = [
        ("patient/*.rs", ""),
        ("patient/*.rs", "patient/Observation.rs"),
        ("patient/Observation.cruds", "patient/*.rs"),
        ("patient/Observation.rs", "user/*.cruds system/*.cruds"),
        ("patient/Observation.rs", "patient/Observation.rs?code=a"),
        ("patient/Observation.rs?code=b", "patient/Observation.rs?code=a"),
        ("patient/Observation.rs?code=a", "patient/Condition.rs?code=a"),
        ("patient/Observation.rs?code=a", "patient/Observation.r"),
        ("openid", "launch"),
        ("openid patient/*.rs", "patient/*.rs"),
    ];
    for (left, right) in within {
        assert!(is_within(left, right), "{left} within {right}");
    }
    for (left, right) in beyond {
        assert!(!is_within(left, right), "{left} not within {right}");
    }
}

#[test]
fn what_was_dropped_gives_nothing() {
    let broken = ScopeSet::parse("patient/*.sr Patient/*.rs");

    assert!(broken.is_empty() && broken.intersection(&ScopeSet::parse("patient/*.cruds")).is_empty());
    assert!(!is_within("patient/Patient.r", "patient/*.sr"));
}

#[test]
fn a_scope_that_comes_twice_counts_once_and_too_many_are_dropped() {
    assert_eq!(ScopeSet::parse("openid patient/*.rs openid patient/*.rs").to_string(), "openid patient/*.rs");

    let many: Vec<String> = (0..=MOST_SCOPES).map(|number| format!("patient/Observation.rs?code={number}")).collect();
    let set = ScopeSet::parse(&many.join(" "));

    assert_eq!(set.scopes().len(), MOST_SCOPES);
    assert_eq!(set.dropped(), &many[MOST_SCOPES..]);
}

#[test]
fn one_context_can_be_taken_out() {
    let set = ScopeSet::parse("openid patient/*.rs user/Patient.r system/*.c");

    assert_eq!(set.in_context(Context::User).to_string(), "user/Patient.r");
    assert_eq!(set.in_context(Context::System).to_string(), "system/*.c");
}
