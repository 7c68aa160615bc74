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

mod a_database_with_nothing_in_it_is_brought_to_where_others_begin {
    use crate::support::{Database, TestServer, database};

    /// Runs on what `start` has migrated itself, and on a copy of what `migrate` has.
    fn check(kind: Database, tables: &'static str) {
        actix_web::rt::System::new().block_on(async {
            let Some(own) = TestServer::start_on_nothing(kind).await else { return };
            let Some(copy) = TestServer::start(kind).await else { return };
            let told = |server: &TestServer, statement: &str| database::select(server.database(), statement);

            assert!(!told(&own, tables).is_empty());
            assert_eq!(told(&own, tables), told(&copy, tables));
            own.create(&crate::support::patient("1")).await;

            own.stop().await;
            copy.stop().await;
        });
    }

    #[test]
    fn sqlite() {
        check(Database::Sqlite, "SELECT coalesce(sql, name) AS line FROM sqlite_schema ORDER BY name");
    }

    #[test]
    fn postgres() {
        let columns = "SELECT table_name || '.' || column_name || ' ' || data_type AS line FROM information_schema.columns \
                       WHERE table_schema = 'public' ORDER BY 1";
        check(Database::Postgres, columns);
    }
}

mod databases_have_keys_of_their_own {
    use crate::support::{Database, TestServer, database};

    fn check(kind: Database, keys: &'static str) {
        actix_web::rt::System::new().block_on(async {
            let Some(one) = TestServer::start(kind).await else { return };
            let Some(other) = TestServer::start(kind).await else { return };
            let (of_one, of_other) = (database::select(one.database(), keys), database::select(other.database(), keys));

            assert_eq!((of_one.len(), of_other.len()), (2, 2));
            assert!(of_one.iter().all(|key| !of_other.contains(key)));

            one.stop().await;
            other.stop().await;
        });
    }

    #[test]
    fn sqlite() {
        check(Database::Sqlite, "SELECT hex(value) AS line FROM setting WHERE name LIKE '%-key'");
    }

    #[test]
    fn postgres() {
        check(Database::Postgres, "SELECT encode(value, 'hex') AS line FROM setting WHERE name LIKE '%-key'");
    }
}
