//! Search by words: `_text` in the narrative, `_content` in all of a resource.
//!
//! Spec: R4 search.html#text, #content

use std::fmt::Write as _;
use std::process::Command;

use http::Method;
use serde_json::{Value, json};

use crate::search_oracle::random::Random;
use crate::support::{TestServer, on_both};

on_both!(
    narratives_and_contents_are_found_by_their_words,
    words_go_together_with_all_other_parameters,
    words_follow_their_resource,
    what_is_no_question_is_refused,
    hostile_words_are_only_words,
    generated_questions_find_what_a_plain_look_finds,
);

fn narrative(text: &str) -> Value {
    json!({ "status": "additional", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{text}</div>") })
}

fn condition(id: &str, patient: &str, told: &str, code: &str) -> Value {
    let mut condition = json!({
        "resourceType": "Condition", "id": id, "subject": { "reference": format!("Patient/{patient}") },
        "code": { "text": code }
    });
    if !told.is_empty() {
        condition["text"] = narrative(told);
    }
    condition
}

async fn write(server: &TestServer, resource: &Value) {
    let (type_name, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
    let answer = server.put(&format!("{type_name}/{id}"), resource).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
}

async fn fill(server: &TestServer) {
    let resources = [
        json!({ "resourceType": "Patient", "id": "eve", "name": [{ "family": "Ångström" }] }),
        json!({ "resourceType": "Patient", "id": "max", "gender": "male" }),
        condition("c1", "eve", "<p>Metastases of the <b>bone</b></p>", "Secondary malignancy"),
        condition("c2", "eve", "<p>Metastases</p><p>Liver, caf&#233;</p>", "C78.7"),
        condition("c3", "max", "<p>Fracture of the bone</p>", "Metastases excluded"),
        condition("c4", "max", "", "Liver"),
        json!({
            "resourceType": "Bundle", "id": "b", "type": "collection",
            "entry": [{ "fullUrl": "http://bone.example", "resource": { "resourceType": "Basic", "code": { "text": "Bone" } } }]
        }),
    ];
    for resource in &resources {
        write(server, resource).await;
    }
}

/// The address as a client sends it: what no URL may hold is escaped; what is escaped already stays.
fn address(search: &str) -> String {
    let mut address = String::new();
    for character in search.chars() {
        match character {
            ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' | '\u{7F}'.. => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(address, "%{byte:02X}");
                }
            }
            _ => address.push(character),
        }
    }
    address
}

/// Checks which ids each search finds, in the order of the alphabet.
async fn check(server: &TestServer, cases: &[(&str, &[&str])]) {
    for (search, wanted) in cases {
        let mut found = server.found(&address(search)).await;
        found.sort();
        assert_eq!(found, *wanted, "{search}");
    }
}

async fn narratives_and_contents_are_found_by_their_words(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            ("Condition?_text=(bone OR liver) and metastases", &["c1", "c2"]),
            ("Condition?_text=BONE", &["c1", "c3"]),
            ("Condition?_text=\"of the bone\"", &["c1", "c3"]),
            ("Condition?_text=\"bone of the\"", &[]),
            ("Condition?_text=\"metastases liver\"", &["c2"]),
            ("Condition?_text=meta*", &["c1", "c2"]),
            ("Condition?_text=\"of the b\"*", &["c1", "c3"]),
            ("Condition?_text=\"of the b\"", &[]),
            ("Condition?_text=CAFÉ", &["c2"]),
            ("Condition?_text=bone NOT fracture", &["c1"]),
            ("Condition?_text=NOT bone", &["c2", "c4"]),
            ("Condition?_text=NOT \"the bone\"", &["c2", "c4"]),
            ("Condition?_text=bone NOT \"metastases of\"", &["c3"]),
            ("Condition?_text=NOT bone NOT liver", &["c4"]),
            ("Condition?_text=liver OR NOT bone", &["c2", "c4"]),
            ("Condition?_text=liver,fracture", &["c2", "c3"]),
            ("Condition?_text=malignancy", &[]),
            ("Condition?_text=additional", &[]),
            ("Condition?_text:missing=true", &["c4"]),
            ("Condition?_text:missing=false", &["c1", "c2", "c3"]),
            ("Condition?_content=liver", &["c2", "c4"]),
            ("Condition?_content=metastases bone", &["c1", "c3"]),
            ("Condition?_content=C78.7", &["c2"]),
            ("Condition?_content=\"78 c\"", &[]),
            ("Condition?_content=\"bone additional\"", &[]),
            ("Condition?_content=NOT metastases", &["c4"]),
            ("Condition?_content=additional", &["c1", "c2", "c3"]),
            ("Condition?_content:missing=true", &[]),
            ("Condition?_content:missing=false", &["c1", "c2", "c3", "c4"]),
            ("Bundle?_content=bone", &["b"]),
            ("Bundle?_content=example", &[]),
            ("Bundle?_text=bone", &[]),
            ("Patient?_content=angstrom", &["eve"]),
            ("?_content=bone", &["b", "c1", "c3"]),
            ("?_text=bone&_type=Condition,Bundle", &["c1", "c3"]),
        ],
    )
    .await;
}

async fn words_go_together_with_all_other_parameters(server: &TestServer) {
    fill(server).await;

    check(
        server,
        &[
            ("Condition?_text=bone&_content=malignancy", &["c1"]),
            ("Condition?_text=bone&subject=Patient/max", &["c3"]),
            ("Condition?_content=liver&_id=c4", &["c4"]),
            ("Condition?_content=NOT liver&subject=Patient/eve", &["c1"]),
            ("Condition?patient._content=angstrom", &["c1", "c2"]),
            ("Condition?patient._content=NOT angstrom", &["c3", "c4"]),
            ("Patient?_has:Condition:subject:_text=fracture", &["max"]),
            ("Patient?_has:Condition:subject:_content=NOT metastases", &["max"]),
            ("Patient/eve/Condition?_content=bone", &["c1"]),
            ("Condition?_content=metastases&_sort=-_id&_count=2", &["c2", "c3"]),
        ],
    )
    .await;
    let counted = server.get("Condition?_content=metastases&_summary=count").await.expect(200).json();
    assert_eq!(counted["total"], 3);
    let mut pages = server.get("Condition?_content=metastases&_count=2").await.expect(200);
    let mut found = pages.matches();
    while let Some(next) = pages.link("next") {
        pages = server.get(&next).await.expect(200);
        found.extend(pages.matches());
    }
    assert_eq!(found, ["c1", "c2", "c3"]);
}

/// Runs `verify` on the database of the server; it says how many words there are.
fn verified_words(server: &TestServer) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwell"));
    let run = command.args(["verify", "--json", "--database", server.database()]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    report["tables"]["index_words"].as_u64().unwrap()
}

async fn words_follow_their_resource(server: &TestServer) {
    write(server, &condition("a", "x", "one two", "three")).await;
    // The narrative with its mark, its status, and the code.
    assert_eq!(verified_words(server), 5);

    write(server, &condition("a", "x", "two four", "three")).await;
    check(
        server,
        &[
            ("Condition?_text=one", &[]),
            ("Condition?_text=\"two four\"", &["a"]),
            ("Condition?_content=three", &["a"]),
            ("Condition?_text=NOT one", &["a"]),
        ],
    )
    .await;
    assert_eq!(verified_words(server), 5);

    let mut same = condition("a", "x", "two four", "three");
    same["recordedDate"] = json!("2026-01-01");
    write(server, &same).await;
    check(server, &[("Condition?_content=four three", &["a"])]).await;

    write(server, &json!({ "resourceType": "Condition", "id": "a", "subject": { "reference": "Patient/x" } })).await;
    check(server, &[("Condition?_content=three", &[]), ("Condition?_text:missing=true", &["a"])]).await;
    assert_eq!(verified_words(server), 0);

    // `meta` is stored in front of everything else, wherever it stood.
    let late = r##"{"resourceType":"Condition","id":"a","subject":{"reference":"Patient/x"},"code":{"text":"three"},
        "contained":[{"resourceType":"Basic","id":"in","subject":{"reference":"#"},"code":{"text":"five"}}],"meta":{"tag":[{"code":"tagged"}]}}"##;
    let late: Value = serde_json::from_str(late).unwrap();
    write(server, &late).await;
    check(server, &[("Condition?_content=five tagged three", &["a"])]).await;
    assert_eq!(verified_words(server), 3);

    server.delete("Condition/a").await.expect(204);
    check(server, &[("Condition?_content=three", &[]), ("Condition?_content=NOT three", &[])]).await;
    assert_eq!(verified_words(server), 0);

    write(server, &condition("a", "x", "back", "again")).await;
    check(server, &[("Condition?_text=back", &["a"]), ("Condition?_content=three", &[])]).await;
    assert_eq!(verified_words(server), 4);
}

async fn what_is_no_question_is_refused(server: &TestServer) {
    let several = vec!["a"; 65].join(" ");
    let cases = [
        ("_text", "(bone", "at character 1: this '(' is not closed"),
        ("_content", "bone)", "at character 5: a ')' closes nothing"),
        ("_text", "a, \"b", "at character 4: these quotes are not closed"),
        ("_content", "bone or liver", "at character 6: write OR and NOT in capitals"),
        ("_content", "a AND", "at character 6: a word is missing"),
        ("_text", "a*b", "at character 3: a '*' stands only at the end of a word"),
        ("_text", "\u{1F642}", "at character 1: here is neither a letter nor a digit"),
        ("_text", "%00", "at character 1: here is neither a letter nor a digit"),
        ("_text", "a\\b", "at character 1: a backslash stands only before"),
        ("_text", &several, "it asks for more than 64 words"),
        ("_text", "((((((((((a))))))))))", "nested more than 8 deep"),
    ];

    for (name, value, problem) in cases {
        let outcome = server.get(&address(&format!("Patient?{name}={value}"))).await.refused(400);
        let text = outcome["details"]["text"].as_str().unwrap();
        assert!(text.contains(&format!("'{name}'")) && text.contains(problem), "{value}: {text}");
    }
    let many = format!("_content={}", vec!["a"; 10_000].join("+"));
    let search = server.request(Method::POST, "Patient/_search");
    let outcome = search.body("application/x-www-form-urlencoded", many).send().await.refused(400);
    assert!(outcome.to_string().contains("'_content' is longer than 8192 bytes"), "{outcome}");
    server.get("Patient?_text:exact=a").await.refused(400);
    server.get("Patient?_text:missing=a").await.refused(400);
    server.get("Patient?_text=").await.refused(400);
}

async fn hostile_words_are_only_words(server: &TestServer) {
    let odd = "rest near x 2 drop table index words rowid";
    write(server, &condition("a", "x", "<p>narrative: NEAR(x) ^2 100% 'q' \u{1F642}z</p>", odd)).await;
    let long = format!("{} end", "word ".repeat(10_000));
    write(server, &condition("long", "x", "", &long)).await;

    check(
        server,
        &[
            ("Condition?_text=NEAR(x)", &["a"]),
            ("Condition?_text=NEAR(x 2)", &["a"]),
            ("Condition?_text=narrative:NEAR", &["a"]),
            ("Condition?_text=rest:near", &[]),
            ("Condition?_text={narrative}", &["a"]),
            ("Condition?_text=^x", &["a"]),
            ("Condition?_text=100%25", &["a"]),
            ("Condition?_text='q'", &["a"]),
            ("Condition?_text=\u{1F642}z", &["a"]),
            ("Condition?_text=q\u{1F642}z", &["a"]),
            ("Condition?_text=x%00q", &[]),
            ("Condition?_text=q'':||", &["a"]),
            ("Condition?_content=';DROP TABLE index_words;--x", &[]),
            ("Condition?_content=drop%2Btable", &["a"]),
            ("Condition?_content=\u{B6}x", &["a"]),
            ("Condition?_content=\"word word end\"", &["long"]),
            ("Condition?_content=\"end word\"", &[]),
        ],
    )
    .await;
    server.get("Condition?_text=%C2%B6").await.refused(400);
    assert_eq!(verified_words(server), 8 + 10 + 10_001);
}

/// Folded words, each with a way to write it.
const VOCABULARY: [(&str, &str); 9] = [
    ("muller", "Müller"),
    ("mull", "mull"),
    ("bone", "BONE"),
    ("bon", "bon"),
    ("e", "é"),
    ("11", "11"),
    ("and", "and"),
    ("東", "東"),
    ("stromung", "Strömung"),
];

#[derive(Debug)]
enum Question {
    Phrase(Vec<usize>, bool),
    All(Vec<Question>),
    Any(Vec<Question>),
    Not(Box<Question>),
}

impl Question {
    fn random(random: &mut Random, depth: usize) -> Question {
        let several =
            |random: &mut Random| (0..2 + random.below(2)).map(|_| Question::random(random, depth - 1)).collect();
        match random.below(if depth == 0 { 4 } else { 8 }) {
            0..=3 => {
                let words = (0..1 + random.below(3)).map(|_| random.below(VOCABULARY.len())).collect();
                Question::Phrase(words, random.percent(30))
            }
            4 => Question::Not(Box::new(Question::random(random, depth - 1))),
            5 | 6 => Question::All(several(random)),
            _ => Question::Any(several(random)),
        }
    }

    fn written(&self) -> String {
        let list = |questions: &[Question], sign: &str| {
            let each: Vec<String> = questions.iter().map(Question::written).collect();
            format!("({})", each.join(sign))
        };
        match self {
            Question::Phrase(words, is_prefix) => {
                let words: Vec<&str> = words.iter().map(|word| VOCABULARY[*word].1).collect();
                format!("\"{}\"{}", words.join(" "), if *is_prefix { "*" } else { "" })
            }
            Question::All(questions) => list(questions, " "),
            Question::Any(questions) => list(questions, " OR "),
            Question::Not(question) => format!("NOT {}", question.written()),
        }
    }

    /// Whether one of the texts, which are lists of words, answers it; a phrase stays within one text.
    fn is_met(&self, texts: &[Vec<usize>]) -> bool {
        match self {
            Question::Phrase(words, is_prefix) => {
                let (last, first) = words.split_last().unwrap();
                texts.iter().any(|text| {
                    text.windows(words.len()).any(|window| {
                        let (end, start) = window.split_last().unwrap();
                        let ends =
                            if *is_prefix { VOCABULARY[*end].0.starts_with(VOCABULARY[*last].0) } else { end == last };
                        start == first && ends
                    })
                })
            }
            Question::All(questions) => questions.iter().all(|question| question.is_met(texts)),
            Question::Any(questions) => questions.iter().any(|question| question.is_met(texts)),
            Question::Not(question) => !question.is_met(texts),
        }
    }
}

async fn generated_questions_find_what_a_plain_look_finds(server: &TestServer) {
    let mut random = Random::new(7);
    let mut resources = Vec::new();
    for number in 0..40 {
        let mut text = || (0..random.below(7)).map(|_| random.below(VOCABULARY.len())).collect::<Vec<usize>>();
        let (told, code) = (text(), text());
        let written = |text: &[usize]| text.iter().map(|word| VOCABULARY[*word].1).collect::<Vec<_>>().join(" ");
        // A code needs a text.
        let id = format!("r{number:02}");
        write(server, &condition(&id, "x", &written(&told), &format!("{} -", written(&code)))).await;
        resources.push((id, told, code));
    }

    let (mut some, mut none) = (0, 0);
    for _ in 0..150 {
        let question = Question::random(&mut random, 3);
        for (name, takes_all) in [("_text", false), ("_content", true)] {
            let search = format!("Condition?{name}={}&_count=100", question.written());
            let mut found = server.found(&address(&search)).await;
            found.sort();
            let is_met = |told: &Vec<usize>, code: &Vec<usize>| match takes_all {
                true => question.is_met(&[told.clone(), code.clone()]),
                false => question.is_met(std::slice::from_ref(told)),
            };
            let wanted: Vec<&str> =
                resources.iter().filter(|(_, told, code)| is_met(told, code)).map(|(id, ..)| &**id).collect();
            assert_eq!(found, wanted, "{search}");
            *(if wanted.is_empty() { &mut none } else { &mut some }) += 1;
        }
    }
    assert!(some > 100 && none > 20, "{some} questions found something, {none} nothing");
}
