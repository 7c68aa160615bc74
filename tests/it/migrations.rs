//! Both databases go through the same migrations.

use std::collections::BTreeSet;
use std::path::Path;

fn names(database: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn sqlite_and_postgres_have_migrations_of_the_same_names() {
    let sqlite = names("sqlite");

    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, names("postgres"));
}

#[test]
fn every_migration_goes_up() {
    for database in ["sqlite", "postgres"] {
        for name in names(database) {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database).join(&name);
            let text = std::fs::read_to_string(folder.join("up.sql")).unwrap();
            assert!(!text.trim().is_empty(), "{database}/{name}/up.sql is empty");
        }
    }
}

#[test]
fn no_two_migrations_have_the_same_number() {
    let names = names("sqlite");
    let numbers: BTreeSet<&str> = names.iter().filter_map(|name| name.split('_').next()).collect();

    assert_eq!(numbers.len(), names.len());
}
