//! The layers of the house: which room may use which. A use of anything else fails here, by file and line.

use std::path::{Path, PathBuf};

/// Each room and the rooms that it may use; every room may use itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("config", &[]),
    ("fhir", &["clock"]),
    ("fhirpath", &["fhir"]),
    ("terminology", &["fhir"]),
    ("validation", &["fhir", "fhirpath"]),
    ("store", &["clock", "config", "fhir"]),
    ("search", &["clock", "fhir", "fhirpath", "store"]),
    ("access", &["fhir", "search"]),
    ("audit", &["access", "clock", "fhir", "search", "store"]),
    ("outbound", &["config"]),
    (
        "interactions",
        &["access", "audit", "clock", "config", "fhir", "fhirpath", "search", "store", "terminology", "validation"],
    ),
    ("records", &["access", "audit", "clock", "config", "fhir", "interactions", "outbound", "store", "validation"]),
    ("demo", &["access", "clock", "config", "fhir", "interactions", "records", "store", "validation"]),
    ("operations", &["access", "clock", "fhir", "interactions", "search", "store", "validation"]),
    ("load", &["access", "clock", "fhir", "interactions", "store"]),
    ("auth", &["access", "audit", "clock", "config", "fhir", "interactions", "outbound", "records", "search", "store"]),
    ("bench", &["clock", "fhir", "records", "store"]),
    (
        "http",
        &[
            "access",
            "audit",
            "auth",
            "clock",
            "config",
            "fhir",
            "fhirpath",
            "interactions",
            "operations",
            "search",
            "store",
            "validation",
        ],
    ),
    (
        "web",
        &["access", "audit", "auth", "clock", "config", "fhir", "http", "interactions", "records", "search", "store"],
    ),
    (
        "server",
        &[
            "web",
            "access",
            "audit",
            "auth",
            "clock",
            "config",
            "demo",
            "fhir",
            "http",
            "interactions",
            "outbound",
            "records",
            "search",
            "store",
        ],
    ),
    (
        "cli",
        &[
            "access",
            "audit",
            "bench",
            "clock",
            "config",
            "demo",
            "fhir",
            "http",
            "interactions",
            "load",
            "outbound",
            "records",
            "search",
            "server",
            "store",
        ],
    ),
];

/// Words that only some rooms may say, and which those are. Tests inside the files count as well.
const WORDS: &[(&str, &[&str])] = &[
    ("diesel", &["store"]),
    ("actix_web", &["bench", "http", "web", "server", "cli"]),
    ("StatusCode", &["http", "web", "server", "cli"]),
    ("SystemTime::now", &["clock"]),
    ("Utc::now", &["clock"]),
];

struct Line {
    /// `src/ROOM/FILE:NUMBER`
    place: String,
    room: String,
    text: String,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// All lines of `src` that are no comments, but for the two files at its root that belong to no room.
fn lines() -> Vec<Line> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&source, &mut paths);
    let mut lines = Vec::new();
    for path in paths {
        let inner = path.strip_prefix(&source).unwrap();
        let first = inner.iter().next().unwrap().to_str().unwrap();
        let room = first.strip_suffix(".rs").unwrap_or(first).to_owned();
        if matches!(room.as_str(), "lib" | "main") {
            continue;
        }
        for (index, text) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            if !text.trim_start().starts_with("//") {
                let place = format!("src/{}:{}", inner.display(), index + 1);
                lines.push(Line { place, room: room.clone(), text: text.to_owned() });
            }
        }
    }
    lines
}

/// The rooms that a line names by a path from the root of the crate.
fn named(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if let Some(group) = rest.strip_prefix('{') {
            let first =
                |item: &str| item.trim().split("::").next().unwrap_or_default().trim_end_matches('}').to_owned();
            rooms.extend(group.split(',').map(first));
        } else {
            rooms.push(rest.chars().take_while(|letter| is_letter(*letter)).collect());
        }
    }
    rooms
}

/// What breaks the table of rooms.
fn broken(lines: &[Line]) -> Vec<String> {
    let mut broken = Vec::new();
    for line in lines {
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == line.room) else {
            broken.push(format!("{}: the room '{}' is not in the table", line.place, line.room));
            continue;
        };
        for used in named(&line.text) {
            if used != line.room && !allowed.contains(&used.as_str()) {
                broken.push(format!("{}: '{}' may not use '{used}'", line.place, line.room));
            }
        }
    }
    broken
}

#[test]
fn every_room_uses_only_the_rooms_it_may() {
    let lines = lines();

    assert!(lines.len() > 1000, "the test reads the source");
    assert_eq!(broken(&lines), Vec::<String>::new());
}

#[test]
fn a_room_that_reaches_up_is_named_with_file_and_line() {
    let line = |room: &str, text: &str| Line {
        place: format!("src/{room}/x.rs:7"),
        room: room.to_owned(),
        text: text.to_owned(),
    };
    let found = broken(&[
        line("fhir", "use crate::store::Store;"),
        line("fhir", "let now = crate::clock::now_us();"),
        line("search", "use crate::{fhir::Id, http::App};"),
        line("attic", "use crate::fhir::Id;"),
    ]);

    assert_eq!(
        found,
        [
            "src/fhir/x.rs:7: 'fhir' may not use 'store'",
            "src/search/x.rs:7: 'search' may not use 'http'",
            "src/attic/x.rs:7: the room 'attic' is not in the table",
        ]
    );
}

#[test]
fn no_two_rooms_may_use_each_other() {
    for (room, used) in ROOMS {
        for other in *used {
            let (_, back) = ROOMS.iter().find(|(name, _)| name == other).unwrap();
            assert!(!back.contains(room), "{room} and {other}");
        }
    }
}

#[test]
fn the_words_of_a_room_stay_in_it() {
    let mut broken = Vec::new();
    for line in lines() {
        for (word, rooms) in WORDS {
            if line.text.contains(word) && !rooms.contains(&line.room.as_str()) {
                broken.push(format!("{}: '{word}' belongs to {}", line.place, rooms.join(", ")));
            }
        }
    }

    assert_eq!(broken, Vec::<String>::new());
}
