//! The statements that requests become.

use super::*;
use crate::fhir::{Id, ResourceKey, ResourceType};
use crate::search::{
    AccessFilter, Codes, Compartment, Handling, ParseContext, Registry, Size, SortBy, SortKey, parse,
    parse_query_string,
};

/// 2013-01-01, 2014-01-01 and 2023-01-01.
const Y2013: i64 = 1_356_998_400_000_000;
const Y2014: i64 = 1_388_534_400_000_000;
const NOW: i64 = 1_672_531_200_000_000;

fn request(type_name: &str, query: &str) -> SearchRequest {
    let resource_type = (!type_name.is_empty()).then(|| ResourceType::parse(type_name).unwrap());
    let bases = [String::new()];
    let context = ParseContext { handling: Handling::Strict, bases: &bases, registry: Registry::bundled() };
    parse(resource_type, &parse_query_string(query).unwrap(), &context).unwrap()
}

/// A request that asks terminology nothing.
fn plain(request: &SearchRequest) -> ResolvedSearch<'_> {
    let narrowed = request.narrowed(&AccessFilter::everything()).unwrap();
    narrowed.resolve(|parameter, _| Err(parameter.to_owned())).unwrap()
}

fn hasher() -> Hasher {
    Hasher::new([7; 16])
}

fn context(hasher: &Hasher, dialect: Dialect) -> CompileContext<'_> {
    CompileContext { hasher, dialect, now_us: NOW, zone_minutes: 0 }
}

/// The statement with `?` for whole numbers, `?r` for doubles and `?'..'` for texts; and the whole numbers.
fn written(query: &Query) -> (String, Vec<i64>) {
    let debug = format!("{query:?}");
    let mut text = String::new();
    let mut numbers = Vec::new();
    let mut rest = debug.as_str();
    while let Some(at) = ["Sql(\"", "Integer(", "Real(", "Text(\""].iter().filter_map(|kind| rest.find(kind)).min() {
        rest = &rest[at..];
        let (kind, after) = rest.split_once('(').unwrap();
        match kind {
            "Integer" => {
                let (number, after) = after.split_once(')').unwrap();
                numbers.push(number.parse().unwrap());
                text.push('?');
                rest = after;
            }
            "Real" => {
                text.push_str("?r");
                rest = after.split_once(')').unwrap().1;
            }
            _ => {
                let (literal, after) = after[1..].split_once("\")").unwrap();
                if kind == "Sql" {
                    text.push_str(literal);
                } else {
                    text.push_str(&format!("?'{literal}'"));
                }
                rest = after;
            }
        }
    }
    (text, numbers)
}

/// What the statement says after `SELECT COUNT(*)`.
fn counting(type_name: &str, query: &str, dialect: Dialect) -> (String, Vec<i64>) {
    let hasher = hasher();
    let (text, numbers) = written(&count(&plain(&request(type_name, query)), &context(&hasher, dialect)));
    (text.strip_prefix("SELECT COUNT(*) FROM ").unwrap().to_owned(), numbers)
}

/// What the statement demands of `resource` where no criterion is a stream, and the numbers from the second on.
fn demands(type_name: &str, query: &str, dialect: Dialect) -> (String, Vec<i64>) {
    let (text, numbers) = counting(type_name, query, dialect);
    let rest = text.strip_prefix("resource r WHERE r.method <> 2");
    match rest.unwrap_or_else(|| panic!("{text}")).strip_prefix(" AND r.rtype = ? AND ") {
        Some(rest) => (rest.to_owned(), numbers[1..].to_vec()),
        None => (rest.unwrap().strip_prefix(" AND ").unwrap().to_owned(), numbers),
    }
}

#[test]
fn each_kind_reads_its_own_table() {
    let rows =
        |table: &str, condition: &str| format!("(SELECT i.rid FROM index_{table} i WHERE i.param = ? AND {condition})");
    let cases = [
        ("Observation", "code=a,b", rows("token", "(i.code IN (?, ?))")),
        ("Observation", "code=s|a", rows("token", "(i.code = ? AND i.system = ?)")),
        ("Observation", "status=final", rows("token", "(i.code = ? AND i.system = ?)")),
        ("Observation", "code=s|a,s|b", rows("token", "(i.code IN (?, ?) AND i.system = ?)")),
        (
            "Observation",
            "code=s|a,t|b",
            rows("token", "(i.code IN (?, ?) AND (i.code, i.system) IN (VALUES (?, ?), (?, ?)))"),
        ),
        ("Observation", "code=s|", rows("token", "(i.system = ?)")),
        ("Observation", "code=a,s|,s|a", rows("token", "(i.code = ? OR i.code = ? AND i.system = ? OR i.system = ?)")),
        ("Observation", "patient=1", rows("reference", "i.target = ?")),
        ("Observation", "subject=1", rows("reference", "i.target IN (?, ?, ?, ?)")),
        ("Patient", "name=Éve", rows("string", "i.folded >= ?'eve' AND i.folded < ?'evf'")),
        ("Patient", "name:exact=Eve", rows("string", "i.folded = ?'eve' AND i.exact = ?")),
        ("Patient", "name:contains=Eve", rows("string", "instr(i.folded, ?'eve') > 0")),
        ("ValueSet", "url=http://a/b", rows("uri", "i.value = ?'http://a/b'")),
        ("ValueSet", "url:below=http://a/", rows("uri", "i.value >= ?'http://a/' AND i.value < ?'http://a0'")),
        ("ValueSet", "url:above=http://a/b", rows("uri", "i.value IN (?'http://a/b', ?'http://a', ?'http://a/')")),
        ("ValueSet", "url:contains=b%25", rows("uri", "instr(i.value, ?'b%') > 0")),
        ("Observation", "value-quantity=5.4", rows("quantity", "(i.value >= ?r AND i.value < ?r AND i.system <> ?)")),
        (
            "Observation",
            "value-quantity=gt5.4||mg",
            rows("quantity", "(i.value >= ?r AND i.code = ? AND i.system <> ?)"),
        ),
        (
            "Observation",
            "value-quantity=ne5.4|s|mg",
            rows(
                "quantity",
                "(i.value < ?r AND i.code = ? AND i.system = ? OR i.value >= ?r AND i.code = ? AND i.system = ?)",
            ),
        ),
    ];

    for (type_name, query, expected) in cases {
        let (text, _) = counting(type_name, query, Dialect::Sqlite);
        assert!(text.contains(&expected), "{query}: {text}");
    }
}

#[test]
fn hierarchies_are_followed_once_and_probed_by_resource() {
    let down = " IN (WITH RECURSIVE h(key) AS (SELECT v.column1 FROM (VALUES (?)) AS v UNION SELECT c.key FROM h \
                CROSS JOIN index_reference s CROSS JOIN resource c WHERE s.target = h.key AND c.rid = s.rid \
                AND s.param = ? AND s.target <> ?) SELECT h.key FROM h)";
    let (alone, numbers) = demands("Procedure", "location:below=1", Dialect::Sqlite);
    let (beside, _) = counting("Procedure", "location:below=1&patient=1", Dialect::Sqlite);

    let partof = Registry::bundled().parameter(ResourceType::parse("Location").unwrap(), "partof").unwrap();
    assert_eq!(alone, format!("r.rid IN (SELECT i.rid FROM index_reference i WHERE i.param = ? AND i.target{down})"));
    assert_eq!(numbers[1..], [hasher().text("Location/1"), i64::from(partof.id()), 0]);
    assert!(
        beside.ends_with(&format!(
            " AND EXISTS (SELECT 1 FROM index_reference i WHERE i.param = ? AND +i.target{down} AND i.rid = d.rid)"
        )),
        "{beside}"
    );
}

#[test]
fn many_ranges_become_a_table_of_values() {
    let dates = ["2013"; 9].join(",");
    let (text, numbers) = demands("Observation", &format!("date={dates}"), Dialect::Sqlite);

    assert!(text.starts_with("r.rid IN (SELECT i.rid FROM (VALUES (?, ?, ?, ?), (?, ?, ?, ?)"), "{text}");
    assert!(text.contains(")) AS v CROSS JOIN index_date i WHERE i.param = ? AND i.lo_us >= v.column1"), "{text}");
    assert_eq!(numbers.len(), 9 * 4 + 1);
}

#[test]
fn date_prefixes_compare_spans() {
    let cases = [
        ("eq2013", "i.lo_us >= ? AND i.lo_us < ? AND i.hi_us <= ?", vec![Y2013, Y2014, Y2014]),
        ("ne2013", "i.lo_us < ? OR i.hi_us > ?", vec![Y2013, Y2014]),
        ("gt2013", "i.hi_us > ?", vec![Y2014]),
        ("lt2013", "i.lo_us < ?", vec![Y2013]),
        ("ge2013", "i.lo_us >= ? OR i.hi_us > ?", vec![Y2013, Y2014]),
        ("le2013", "i.lo_us < ? OR i.lo_us < ? AND i.hi_us <= ?", vec![Y2013, Y2014, Y2014]),
        ("sa2013", "i.lo_us >= ?", vec![Y2014]),
        ("eb2013", "i.lo_us < ? AND i.hi_us <= ?", vec![Y2013, Y2013]),
        ("ap2013", "i.lo_us < ? AND i.hi_us > ?", vec![Y2014 + (NOW - Y2014) / 10, Y2013 - (NOW - Y2014) / 10]),
    ];

    for (value, condition, binds) in cases {
        let (text, numbers) = demands("Observation", &format!("date={value}"), Dialect::Sqlite);
        let expected = format!("r.rid IN (SELECT i.rid FROM index_date i WHERE i.param = ? AND ({condition}))");
        assert_eq!((text, &numbers[1..]), (expected, binds.as_slice()), "{value}");
    }
}

#[test]
fn last_updated_is_a_span_of_one_millisecond() {
    let condition = |value: &str| {
        let (text, numbers) = demands("Patient", &format!("_lastUpdated={value}"), Dialect::Sqlite);
        assert_eq!(text, "(r.updated_us >= ? AND r.updated_us < ?)");
        numbers
    };

    assert_eq!(condition("2013"), [Y2013, Y2014 - 999]);
    assert_eq!(condition("gt2013"), [Y2014 - 999, i64::MAX]);
    assert_eq!(condition("lt2013"), [i64::MIN, Y2013]);
    assert_eq!(condition("2013-01-01T00:00:00.000Z"), [Y2013, Y2013 + 1]);
}

#[test]
fn absence_is_said_as_each_database_likes_it() {
    let missing = |dialect| demands("Patient", "gender:missing=true", dialect).0;
    let not_both = |dialect| demands("Observation", "code:not=a,b", dialect).0;

    assert_eq!(missing(Dialect::Sqlite), "r.rid NOT IN (SELECT i.rid FROM index_token i WHERE i.param = ?)");
    assert_eq!(
        missing(Dialect::Postgres),
        "NOT EXISTS (SELECT 1 FROM index_token i WHERE i.param = ? AND i.rid = r.rid)"
    );
    assert_eq!(
        not_both(Dialect::Sqlite),
        "r.rid NOT IN (SELECT i.rid FROM index_token i WHERE i.param = ? AND (i.code IN (?, ?)))"
    );
    assert_eq!(
        demands("Patient", "gender:missing=false", Dialect::Postgres).0,
        "r.rid IN (SELECT i.rid FROM index_token i WHERE i.param = ?)"
    );
    assert_eq!(
        demands("Patient", "gender:not=male", Dialect::Sqlite).0,
        "NOT EXISTS (SELECT 1 FROM index_token i WHERE i.param = ? AND (i.code = ? AND i.system = ?) AND i.rid = r.rid)"
    );
}

#[test]
fn one_key_streams_and_the_others_are_looked_up() {
    let query = "date=ge2013&status:not=final&patient=1&code=s|a";
    const LOOKED_UP: &str = " AND EXISTS (SELECT 1 FROM index_date i WHERE i.param = ? AND (i.lo_us >= ? OR i.hi_us > ?) AND i.rid = d.rid) \
         AND NOT EXISTS (SELECT 1 FROM index_token i WHERE i.param = ? AND (i.code = ? AND i.system = ?) AND i.rid = d.rid) \
         AND EXISTS (SELECT 1 FROM index_token i WHERE i.param = ? AND (i.code = ? AND i.system = ?) AND i.rid = d.rid)";
    const STREAM: &str = "FROM (SELECT i.rid FROM index_reference i WHERE i.param = ? AND i.target = ?) AS d";
    let hasher = hasher();
    let context = context(&hasher, Dialect::Sqlite);
    let (paged, _) = written(&page(&plain(&request("Observation", query)), &context, None, 10));

    assert_eq!(
        counting("Observation", query, Dialect::Sqlite).0,
        format!("{STREAM} WHERE d.rid > 0{LOOKED_UP}")["FROM ".len()..]
    );
    assert_eq!(
        paged,
        format!(
            "{COLUMNS} {STREAM} CROSS JOIN resource r WHERE r.rid = d.rid AND d.rid > 0 AND r.method <> 2 AND r.rtype = ?{LOOKED_UP} \
             ORDER BY d.rid LIMIT ?"
        )
    );
}

#[test]
fn a_count_looks_up_the_resources_that_the_index_does_not_tell_all_of() {
    let looks_up = |of: &str, query: &str| counting(of, query, Dialect::Sqlite).0.contains(" resource r ");

    assert!(!looks_up("Observation", "code=s|a&patient.gender=male&status:not=final"));
    for query in [
        "_tag=s|a",
        "code=s|a&_id:not=1",
        "patient=1&_lastUpdated=2013",
        "code=s|a&_has:Condition:evidence-detail:code=x",
    ] {
        assert!(looks_up("Observation", query), "{query}");
    }
}

#[test]
fn what_no_index_can_look_up_becomes_a_set() {
    let query = "value-quantity=gt5&patient=1&combo-code=a,b";
    let (text, _) = counting("Observation", query, Dialect::Sqlite);
    let (on_postgres, _) = counting("Observation", query, Dialect::Postgres);

    // The sign keeps SQLite from letting the set lead.
    assert!(text.contains(" AND +d.rid IN (SELECT i.rid FROM index_quantity i "), "{text}");
    assert!(text.contains(" AND +d.rid IN (SELECT i.rid FROM index_token i "), "{text}");
    assert!(on_postgres.contains(" AND d.rid IN (SELECT i.rid FROM index_quantity i "), "{on_postgres}");
}

#[test]
fn a_code_in_any_system_is_looked_up_in_each_that_it_has() {
    let (text, numbers) = counting("Observation", "code=a", Dialect::Sqlite);

    assert!(
        text.starts_with(
            "resource r WHERE r.method <> 2 AND r.rtype = ? AND r.rid IN (SELECT i.rid FROM index_token i \
         WHERE i.param = ? AND (i.code = ? AND i.system IN (WITH RECURSIVE s(system) AS ("
        ),
        "{text}"
    );
    assert_eq!(numbers[2..], [hasher().text("a"), numbers[1], hasher().text("a"), numbers[1], hasher().text("a")]);
}

#[test]
fn codes_of_a_value_set_are_bound_as_one_value() {
    let code = |system: &str, code: usize| (system.to_owned(), format!("C{code}"));
    let text_of = |query: &str, codes: &Codes, dialect: Dialect| {
        let request = request("Observation", query);
        let narrowed = request.narrowed(&AccessFilter::everything()).unwrap();
        let resolved = narrowed.resolve(|_, _| Ok::<_, ()>(codes.clone())).unwrap();
        written(&count(&resolved, &context(&hasher(), dialect))).0
    };
    let listed = |count| Codes { listed: (0..count).map(|n| code("s", n)).collect(), ..Codes::default() };
    let but = Codes { systems: vec!["t".to_owned()], except: vec![code("t", 1)], ..listed(1) };
    let (few, many) = (listed(2), listed(9));

    let (folded, system) = (hasher().text("c8"), hasher().text("s"));
    let both = text_of("code:in=http://v", &many, Dialect::Sqlite);
    assert!(
        both.contains(
            " AND r.rid IN (SELECT i.rid FROM index_token i WHERE i.param = ? AND (i.code, i.system) IN \
         (SELECT CAST(v.value ->> 0 AS BIGINT), CAST(v.value ->> 1 AS BIGINT) FROM json_each(?'[["
        ),
        "{both}"
    );
    assert!(both.ends_with(&format!(",[{folded},{system}]]') v))")), "{both}");
    assert!(text_of("code:in=http://v", &few, Dialect::Sqlite).ends_with("(i.code IN (?, ?) AND i.system = ?))"),);
    assert!(text_of("code:not-in=http://v", &many, Dialect::Sqlite).contains(" AND r.rid NOT IN (SELECT i.rid FROM "));
    let negated = text_of("code:not-in=http://v", &many, Dialect::Postgres);
    assert!(
        negated.contains(" AND NOT EXISTS (SELECT 1 FROM ") && negated.contains(" FROM json_array_elements(CAST(?'[["),
        "{negated}"
    );
    let whole = text_of("code:in=http://v", &but, Dialect::Sqlite);
    for part in [" OR i.code <> 0 AND i.system IN (SELECT ", " AND (i.code, i.system) NOT IN (SELECT "] {
        assert!(whole.contains(part), "{whole}");
    }
}

#[test]
fn an_id_is_found_by_its_key() {
    let key = hasher().text("Patient/a-1");

    assert_eq!(demands("Patient", "_id=a-1", Dialect::Sqlite), ("r.key = ? AND r.id = ?'a-1'".to_owned(), vec![key]));
    assert_eq!(demands("Patient", "_id=no_id", Dialect::Sqlite).0, "1 = 0");
    assert_eq!(demands("Patient", "_id:not=a", Dialect::Sqlite).0, "r.id NOT IN (?'a')");
    assert_eq!(demands("", "_id=a&_type=Patient,Group", Dialect::Sqlite).1.len(), 4);
}

#[test]
fn the_fewest_lead() {
    let leads = |query: &str| {
        let (text, _) = counting("Observation", query, Dialect::Sqlite);
        let place = text.find("index_").unwrap();
        text[place..].split_once(' ').unwrap().0.to_owned()
    };

    assert_eq!(leads("date=2013&status=final&code=s|a&patient=1"), "index_reference");
    assert_eq!(leads("date=gt2013&status=final"), "index_token");
    assert_eq!(leads("status=final&date=2013-01-01"), "index_date");
    assert!(
        counting("Patient", "identifier=s|1&organization=1", Dialect::Sqlite)
            .0
            .starts_with("(SELECT i.rid FROM index_token")
    );
}

#[test]
fn what_was_counted_leads_before_what_is_guessed() {
    let text_of = |of: &str, query: &str, sizes: &[(&str, Size)]| {
        let request = request(of, query);
        let sized = plain(&request).sized(false, |_, parameter| {
            sizes.iter().find(|(code, _)| *code == parameter.code()).map(|(_, size)| *size).ok_or(())
        });
        written(&count(&sized.unwrap(), &context(&hasher(), Dialect::Sqlite))).0
    };
    let (few, fewer, many) = (Size::Few(9), Size::Few(3), Size::Many);
    let leads = |text: String| text[text.find("index_").unwrap()..].split_once(' ').unwrap().0.to_owned();
    let both = |code, date| leads(text_of("Observation", "code=s|a&date=2013-01", &[("code", code), ("date", date)]));

    assert_eq!(both(few, many), "index_token");
    assert_eq!(both(few, fewer), "index_date");
    assert_eq!(both(fewer, few), "index_token");
    assert_eq!(both(many, many), "index_date");
    let has = "_has:Observation:patient:code=s|a";
    // The sign keeps SQLite from reading all resources of the type.
    assert!(text_of("Patient", has, &[("code", few)]).contains(" AND +r.rtype = ? AND r.key IN (SELECT i.target "));
    assert!(text_of("Patient", has, &[("code", many)]).contains(" AND r.rtype = ? AND EXISTS (SELECT 1 "));
}

#[test]
fn what_many_are_linked_with_is_asked_of_each_until_the_page_is_full() {
    let text_of = |of: &str, query: &str, size: Size, dialect: Dialect| {
        let request = request(of, query);
        let keeps_statistics = dialect::keeps_statistics(dialect);
        let sized = plain(&request).sized(keeps_statistics, |_, _| Ok::<_, ()>(size)).unwrap();
        written(&page(&sized, &context(&hasher(), dialect), None, 10)).0
    };
    let has = |size, dialect| text_of("Patient", "_has:Observation:patient:code=s|a", size, dialect);
    let chain = |size, dialect| text_of("Observation", "code=s|a&patient.gender=male", size, dialect);

    for text in [has(Size::Many, Dialect::Postgres), chain(Size::Many, Dialect::Postgres)] {
        assert_eq!(text.matches(" OFFSET 0)").count(), 2, "{text}");
    }
    assert!(!has(Size::Few(9), Dialect::Postgres).contains("OFFSET"));
    assert!(!has(Size::Many, Dialect::Sqlite).contains("OFFSET"));
    // What is not linked is left to the statistics: nothing is counted.
    assert!(!text_of("Patient", "gender=male&name=a", Size::Many, Dialect::Postgres).contains("OFFSET"));
}

#[test]
fn contained_resources_are_followed_only_where_there_may_be_any() {
    let text_of = |query: &str, contained: &[ResourceType]| {
        let request = request("Observation", query);
        let mut asked = 0;
        let reaching = plain(&request).reaching(|types| {
            asked += 1;
            Ok::<_, ()>(types.iter().any(|of| contained.contains(of)))
        });
        let text = written(&page(&reaching.unwrap(), &context(&hasher(), Dialect::Postgres), None, 10)).0;
        (text.matches("LEFT JOIN contained").count(), text.matches("OFFSET 0").count(), asked)
    };
    let organization = ResourceType::parse("Organization").unwrap();

    assert_eq!(text_of("patient.gender:not=male", &[]), (0, 0, 1));
    assert_eq!(text_of("patient.gender:not=male", &[ResourceType::PATIENT]), (1, 0, 1));
    assert_eq!(text_of("patient.gender:not=male&patient.active:not=true", &[]), (0, 0, 1));
    assert_eq!(text_of("patient.organization.active:not=true", &[organization]), (1, 0, 2));
    // What a target is linked with stays with it: a chain, and each condition of what that leads to.
    assert_eq!(text_of("patient.organization.active:not=true", &[ResourceType::PATIENT, organization]), (2, 2, 2));
    // The index tells what is found by its rows.
    assert_eq!(text_of("patient.identifier=s|1", &[ResourceType::PATIENT]), (0, 0, 0));
}

#[test]
fn rows_of_the_index_are_screened_without_looking_up_their_resources() {
    let text_of = |query: &str, mark: Option<&str>, are_standing| {
        let request = request("Observation", query);
        let hasher = hasher();
        let context = context(&hasher, Dialect::Sqlite);
        written(&screened(&plain(&request), &context, &[5, 7], mark, are_standing, &[])).0
    };
    const FROM_INDEX: &str = "SELECT d.rid FROM (SELECT value AS rid FROM json_each(?'[5,7]')) AS d WHERE d.rid > 0";
    const FROM_RESOURCES: &str = "SELECT r.rid FROM resource r WHERE r.rid IN (SELECT value FROM json_each(?'[5,7]'))";

    assert!(text_of("code=s|a", None, true).starts_with(FROM_INDEX));
    assert!(text_of("code=s|a", None, false).starts_with(FROM_RESOURCES));
    assert!(text_of("code=s|a", Some("9"), true).starts_with(FROM_RESOURCES));
    assert!(text_of("code=s|a&_lastUpdated=2020", None, true).starts_with(FROM_RESOURCES));
}

#[test]
fn codes_are_hashed_in_lower_case_and_no_system_is_zero() {
    let (_, numbers) = counting("Observation", "code=%7CABC", Dialect::Sqlite);

    assert_eq!(numbers[1..3], [hasher().text("abc"), 0]);
}

#[test]
fn compartments_bound_a_search() {
    let key = |id: &str| ResourceKey { resource_type: ResourceType::PATIENT, id: Id::parse(id).unwrap() };
    let hasher = hasher();
    let text_of = |compartments: Vec<Vec<ResourceKey>>| {
        let mut request = request("Observation", "");
        request.compartments = compartments.into_iter().map(|patients| Bound { patients, is_owned: false }).collect();
        written(&count(&plain(&request), &context(&hasher, Dialect::Sqlite)))
    };

    let (one, numbers) = text_of(vec![vec![key("1")]]);
    let (several, _) = text_of(vec![vec![key("1"), key("2")], Vec::new()]);

    assert!(
        one.contains("FROM (SELECT c.rid FROM compartment c WHERE c.patient = ? AND c.rtype = ? AND c.bond <> 3) AS d"),
        "{one}"
    );
    assert_eq!(numbers[0], hasher.key(&key("1")));
    assert!(several.ends_with(
        " AND EXISTS (SELECT 1 FROM compartment c WHERE c.patient IN (?, ?) AND c.rtype = ? AND c.rid = r.rid AND c.bond <> 3) AND 1 = 0"
    ), "{several}");
}

#[test]
fn compartments_without_rows_of_their_own_are_found_by_references() {
    let hasher = hasher();
    let text_of = |center: &str, searched: &str, query: &str| {
        let center = ResourceKey { resource_type: ResourceType::parse(center).unwrap(), id: Id::parse("1").unwrap() };
        let mut request = request(searched, query);
        request.bound_by(Compartment::of(center, request.resource_type).unwrap());
        written(&count(&plain(&request), &context(&hasher, Dialect::Sqlite))).0
    };

    let members = " AND r.rid IN (SELECT i.rid FROM index_reference i WHERE i.param IN (?, ?) AND i.target = ?)";
    assert!(text_of("Device", "Observation", "").ends_with(members));
    assert!(text_of("Device", "Observation", "identifier=s|1").ends_with(
        " AND EXISTS (SELECT 1 FROM index_reference i WHERE i.param IN (?, ?) AND i.target = ? AND i.rid = r.rid)"
    ));
    assert!(
        text_of("Encounter", "Encounter", "").ends_with(" AND r.rid IN (SELECT c.rid FROM resource c WHERE c.key = ?)")
    );
    assert!(
        text_of("Device", "", "").ends_with(" AND i.target = ? UNION SELECT c.rid FROM resource c WHERE c.key = ?)")
    );
    assert!(
        text_of("Patient", "", "")
            .ends_with(" AND r.rid IN (SELECT c.rid FROM compartment c WHERE c.patient = ? AND c.bond <> 3)")
    );
}

#[test]
fn pages_go_on_after_the_last_match() {
    let hasher = hasher();
    let after = Position { rid: 5, id: "x".to_owned(), is_backward: false, mark: "9".to_owned() };
    let before = Position { is_backward: true, ..after.clone() };
    const NEW: &str = " AND NOT EXISTS (SELECT 1 FROM change c WHERE c.rid = r.rid AND c.version = 1 AND c.seq > CAST(?'9' AS BIGINT))";
    let end = |sort: &str, after: Option<&Position>| {
        let query = page(&plain(&request("Patient", sort)), &context(&hasher, Dialect::Sqlite), after, 10);
        written(&query).0.split_once("r.rtype = ?").unwrap().1.replace(NEW, "")
    };

    assert_eq!(end("", Some(&before)), " AND r.rid < ? ORDER BY r.rid DESC LIMIT ?");
    assert_eq!(end("", None), " ORDER BY r.rid LIMIT ?");
    assert_eq!(end("organization=1", Some(&after)), " AND d.rid > ? ORDER BY d.rid LIMIT ?");
    assert_eq!(end("", Some(&after)), " AND r.rid > ? ORDER BY r.rid LIMIT ?");
    assert_eq!(end("_sort=-_id", Some(&before)), " AND (r.id, r.rid) > (?'x', ?) ORDER BY r.id, r.rid LIMIT ?");
    assert_eq!(end("_sort=_id", Some(&after)), " AND (r.id, r.rid) > (?'x', ?) ORDER BY r.id, r.rid LIMIT ?");
    assert!(request("Patient", "").control.sort.keys.is_empty());
}

#[test]
fn a_search_without_an_order_comes_in_that_of_a_range_that_leads() {
    let lead = |of: &str, query: &str, size: Option<Size>| {
        let request = request(of, query);
        let sized = plain(&request).sized(false, |_, _| size.ok_or(())).unwrap_or_else(|()| plain(&request));
        let by = order_of_lead(&request).map(|key| match key.by {
            SortBy::Index(parameters) => parameters[0].code().to_owned(),
            SortBy::Beginning(beginning) => format!("{}-{}", beginning.from, beginning.to),
            other => panic!("{other:?}"),
        });
        (by, leads_to_many(&sized))
    };
    let many = Some(Size::Many);

    assert_eq!(lead("Patient", "name=Sm", many), (Some("sm-sn".to_owned()), true));
    assert_eq!(lead("Patient", "name=Sm&gender=male", many), (Some("sm-sn".to_owned()), true));
    assert_eq!(lead("Patient", "name=Sm", Some(Size::Few(9))), (Some("sm-sn".to_owned()), false));
    assert_eq!(lead("Observation", "date=2020-03&code=s|a", many), (Some("date".to_owned()), true));
    for (of, query) in [
        ("Patient", "name=Sm,Ba"),
        ("Patient", "name:exact=Sm"),
        ("Patient", "name=Sm&_sort=birthdate"),
        ("Patient", "name=Sm&organization=1"),
        ("Patient", "name=Sm&_summary=count"),
        ("Patient", "name=Sm&_contained=both"),
        ("Observation", "date=ge2020"),
        ("", "_type=Patient,Practitioner&name=Sm"),
    ] {
        assert_eq!(lead(of, query, many), (None, false), "{of}?{query}");
    }
}

#[test]
fn a_page_in_order_is_one_statement() {
    let text_of = |query: &str, dialect: Dialect| {
        let request = request("Observation", query);
        let (request, hasher) = (plain(&request), hasher());
        let context = context(&hasher, dialect);
        let key = SortKey { by: request.control.sort.keys[0].by.clone(), is_descending: true };
        let walk = Walk::of(&key, request.resource_type).unwrap();
        let bounds = bounds(&request, walk, &context);
        matching_entries(&request, &context, (walk, true), bounds.as_ref(), 90, 10).map(|query| written(&query).0)
    };
    let of_month = "code=s|a&date=2020-03&_sort=-date";

    assert_eq!(
        text_of(of_month, Dialect::Sqlite).unwrap(),
        "SELECT d.* FROM (SELECT CAST('' AS TEXT), i.lo_us, i.hi_us, CAST(0 AS DOUBLE PRECISION), i.rid FROM index_date i \
         WHERE i.param = ? AND i.lo_us >= ? AND i.lo_us < ? ORDER BY i.lo_us DESC, i.hi_us DESC, i.rid DESC LIMIT ?) AS d \
         WHERE d.rid > 0 AND (d.lo_us >= ? AND d.lo_us < ? AND d.hi_us <= ?) AND EXISTS (SELECT 1 FROM index_token i \
         WHERE i.param = ? AND (i.code = ? AND i.system = ?) AND i.rid = d.rid) LIMIT ?"
    );
    let on_postgres = text_of(of_month, Dialect::Postgres).unwrap();
    assert!(
        on_postgres.ends_with(" AND i.rid = d.rid OFFSET 0) ORDER BY d.lo_us DESC, d.hi_us DESC, d.rid DESC LIMIT ?"),
        "{on_postgres}"
    );
    // All rows of a resource are in the way, but for the highest.
    assert!(text_of("code=s|a&_sort=-date", Dialect::Sqlite).unwrap().contains(" AND i.edge IN (0, 2) ORDER BY "));
    // The row of the resource tells when it was written.
    assert_eq!(text_of("_lastUpdated=2020&_sort=-date", Dialect::Sqlite), None);
}
