//! The store by itself, on files of its own and, where there is one, on PostgreSQL.

use std::cell::Cell;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, PgConnection, RunQueryDsl};

use super::statement::fixed;
use super::*;
use crate::fhir::{Id, ResourceKey, ResourceType};

/// A database that is removed when this is dropped.
pub(super) struct Home {
    address: String,
    folder: Option<PathBuf>,
    admin: Option<String>,
}

impl Home {
    pub(super) fn sqlite() -> Home {
        let folder = std::env::temp_dir().join(name());
        let address = format!("sqlite:{}", folder.join("emberwell.db").display());
        Home { address, folder: Some(folder), admin: None }
    }

    pub(super) fn postgres() -> Option<Home> {
        let Ok(admin) = std::env::var("EMBERWELL_TEST_POSTGRES") else {
            // Past the test harness, which would keep what a passing test prints.
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            let _ = writeln!(std::io::stderr(), "SKIPPED on PostgreSQL: {test}: EMBERWELL_TEST_POSTGRES is not set");
            return None;
        };
        let name = name();
        let mut connection = PgConnection::establish(&admin).unwrap();
        connection.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).unwrap();
        let (server, _) = admin.rsplit_once('/').unwrap();
        Some(Home { address: format!("{server}/{name}"), folder: None, admin: Some(admin) })
    }

    pub(super) fn open(&self) -> Store {
        Store::open(&self.address, 4, None).unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            std::fs::remove_dir_all(folder).unwrap();
        }
        if let Some(admin) = &self.admin {
            let (_, name) = self.address.rsplit_once('/').unwrap();
            let mut connection = PgConnection::establish(admin).unwrap();
            connection.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
        }
    }
}

/// Makes each behaviour, a `fn(&Home)`, a test on SQLite and a test on PostgreSQL.
macro_rules! on_both {
    ($($behaviour:ident),+ $(,)?) => {
        $(
            mod $behaviour {
                use $crate::store::tests::Home;

                #[test]
                fn sqlite() {
                    super::$behaviour(&Home::sqlite());
                }

                #[test]
                fn postgres() {
                    if let Some(home) = Home::postgres() {
                        super::$behaviour(&home);
                    }
                }
            }
        )+
    };
}
pub(super) use on_both;

fn name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("emberwell_store_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn key(number: usize) -> ResourceKey {
    ResourceKey { resource_type: ResourceType::PATIENT, id: Id::parse(&format!("p-{number}")).unwrap() }
}

fn tail(number: usize) -> Vec<u8> {
    let born = format!("{}-0{}-1{}", 1930 + number % 90, 1 + number % 9, number % 10);
    format!(r#"}},"active":true,"name":[{{"family":"Family-{number}"}}],"gender":"female","birthDate":"{born}"}}"#)
        .into_bytes()
}

fn put_packed(tx: &mut Tx<'_>, number: usize, packed: Packed) -> Result<Written, StoreError> {
    let previous = tx.lock(&key(number))?;
    let rows = IndexRows::default();
    let (tail, rules, definition, creator) = (Some(packed), None, None, Creator::Nobody);
    tx.put(Put { key: key(number), previous, method: Method::Create, tail, rows, rules, definition, creator })
}

/// Writes the resources with these numbers, all in one transaction.
fn write(store: &Store, numbers: std::ops::Range<usize>) {
    let packed: Vec<_> = numbers.map(|number| (number, store.pack(ResourceType::PATIENT, &tail(number)))).collect();
    let written = store.write(move |tx| {
        packed.iter().try_for_each(|(number, packed)| put_packed(tx, *number, packed.clone()).map(drop))
    });
    written.map_err(|error: StoreError| error.to_string()).unwrap();
}

fn stored(store: &Store, number: usize) -> Option<Vec<u8>> {
    store.read(|reader| reader.current(&key(number), &Guard::unbounded("test"))).unwrap().and_then(|row| row.tail)
}

fn dictionaries_serve(home: &Home) {
    let store = home.open();
    write(&store, 0..499);
    let before = store.pack(ResourceType::PATIENT, &tail(7));
    store.wait_for_training();
    let after = store.pack(ResourceType::PATIENT, &tail(7));
    write(&store, 499..520);

    assert!(before.codec < codec::FIRST_DICTIONARY, "{}", before.codec);
    assert!(after.codec >= codec::FIRST_DICTIONARY, "{}", after.codec);
    assert!(after.bytes.len() * 2 < before.bytes.len(), "{} {}", after.bytes.len(), before.bytes.len());
    for number in [0, 498, 499, 519] {
        assert_eq!(stored(&store, number), Some(tail(number)), "{number}");
    }

    drop(store);
    let again = home.open();
    assert_eq!(again.pack(ResourceType::PATIENT, &tail(7)).codec, after.codec);
    assert_eq!(stored(&again, 519), Some(tail(519)));
}

#[test]
fn tails_are_packed_by_what_their_type_has_in_common_on_sqlite() {
    dictionaries_serve(&Home::sqlite());
}

#[test]
fn tails_are_packed_by_what_their_type_has_in_common_on_postgres() {
    if let Some(home) = Home::postgres() {
        dictionaries_serve(&home);
    }
}

#[test]
fn a_dictionary_that_another_process_trained_is_found() {
    let home = Home::sqlite();
    let (one, other) = (home.open(), home.open());
    write(&one, 0..500);
    one.wait_for_training();
    write(&one, 500..501);

    assert_eq!(stored(&other, 500), Some(tail(500)));
}

fn instants_follow_each_other(home: &Home) {
    let store = home.open();
    let updates = |number: usize, count: usize| {
        (0..count).for_each(|_| write(&store, number..number + 1));
    };
    std::thread::scope(|scope| {
        for number in 0..4 {
            let updates = &updates;
            scope.spawn(move || updates(number, 50));
        }
    });
    write(&store, 9..10);
    let request = HistoryRequest { scope: HistoryScope::System, since_us: Some(0), at: None, before: None, limit: 500 };
    let newest_first = store.read_settled(|reader| reader.history(&request, &Guard::unbounded("test"), false)).unwrap();

    assert_eq!(newest_first.len(), 4 * 50 + 1);
    let newest = newest_first.iter().map(|version| version.row.updated_us).max().unwrap();
    let last = newest_first.iter().find(|version| version.row.key == key(9)).unwrap();
    assert_eq!(last.row.updated_us, newest, "what was written last is the newest");
}

#[test]
fn what_is_written_later_has_a_later_instant_on_sqlite() {
    instants_follow_each_other(&Home::sqlite());
}

#[test]
fn what_is_written_later_has_a_later_instant_on_postgres() {
    if let Some(home) = Home::postgres() {
        instants_follow_each_other(&home);
    }
}

/// Waits until another session of the database waits for a lock.
fn wait_for_a_waiter(home: &Home) {
    let mut connection = PgConnection::establish(&home.address).unwrap();
    let waiting = || {
        fixed!(
            diesel::sql_types::BigInt,
            "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
         WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted",
            &[],
        )
    };
    loop {
        let waiting: i64 = waiting().get_result(&mut connection).unwrap();
        if waiting > 0 {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn who_asks_for_what_came_since_waits_for_what_is_being_written_on_postgres() {
    let Some(home) = Home::postgres() else { return };
    let store = home.open();
    let (begun, has_begun) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let packed = store.pack(ResourceType::PATIENT, &tail(1));
    let request = HistoryRequest { scope: HistoryScope::System, since_us: Some(0), at: None, before: None, limit: 9 };

    let seen = std::thread::scope(|scope| {
        let store = &store;
        scope.spawn(move || {
            store.write(move |tx| {
                let written = put_packed(tx, 1, packed.clone());
                begun.send(()).unwrap();
                wait.recv().unwrap();
                written.map(drop)
            })
        });
        has_begun.recv().unwrap();
        let history =
            scope.spawn(|| store.read_settled(|reader| reader.history(&request, &Guard::unbounded("test"), false)));
        wait_for_a_waiter(&home);
        go.send(()).unwrap();
        history.join().unwrap().unwrap()
    });

    assert_eq!(seen.len(), 1, "the version that was being written is seen");
}

#[test]
fn a_shared_snapshot_shows_what_was_committed_since() {
    let home = Home::sqlite();
    let store = home.open();
    let begun = Cell::new(0);
    let read = |number: usize| {
        let row = store
            .read_shared(
                || begun.set(begun.get() + 1),
                |reader| reader.current(&key(number), &Guard::unbounded("test")),
            )
            .unwrap();
        row.is_some()
    };

    assert!(!read(1));
    assert!(!read(1));
    write(&store, 1..2);
    assert!(read(1));
    write(&store, 2..3);
    assert!(read(2));
    assert_eq!(begun.get(), 1, "one call of end_shared_read ends whatever is open by then");
    end_shared_read();
    assert!(read(2));
    assert_eq!(begun.get(), 2);
    end_shared_read();
}

type Work = Box<dyn FnMut(&mut Tx<'_>) -> Result<(), StoreError> + Send>;

#[test]
fn a_write_that_fails_late_leaves_nothing_and_harms_no_other() {
    let home = Home::sqlite();
    let store = home.open();
    let (go, wait) = mpsc::channel::<()>();
    let (sender, outcomes) = mpsc::channel();
    let submit = |name: &'static str, work: Work| {
        let sender = sender.clone();
        store.submit(work, move |outcome| sender.send((name, outcome.is_ok())).unwrap());
    };
    let packed = |number: usize| store.pack(ResourceType::PATIENT, &tail(number));

    // Holds the writer until all wait, so that they share a batch.
    let mut is_held = true;
    let first = packed(1);
    submit(
        "first",
        Box::new(move |tx| {
            if std::mem::replace(&mut is_held, false) {
                wait.recv().unwrap();
            }
            put_packed(tx, 1, first.clone()).map(drop)
        }),
    );
    submit("early", Box::new(|_| Err(StoreError::Timeout)));
    let second = packed(2);
    submit(
        "late",
        Box::new(move |tx| {
            put_packed(tx, 2, second.clone())?;
            Err(StoreError::Timeout)
        }),
    );
    let third = packed(3);
    submit("last", Box::new(move |tx| put_packed(tx, 3, third.clone()).map(drop)));
    go.send(()).unwrap();
    let outcomes: Vec<_> = (0..4).map(|_| outcomes.recv().unwrap()).collect();

    assert_eq!(outcomes, [("first", true), ("early", false), ("late", false), ("last", true)]);
    assert_eq!([1, 2, 3].map(|number| stored(&store, number).is_some()), [true, false, true]);
    let counts = store.read(|reader| reader.type_counts()).unwrap();
    assert_eq!((counts[0].current, counts[0].versions), (2, 2));
    assert_eq!(store.write(|tx| tx.lock(&key(3))).unwrap().unwrap().rid, 2, "no number is lost");
}

#[test]
fn a_write_that_panics_fails_alone() {
    let home = Home::sqlite();
    let store = home.open();

    let broken: Result<(), StoreError> = store.write(|_| panic!("on purpose"));
    write(&store, 1..2);

    assert!(matches!(broken, Err(StoreError::Panicked)));
    assert!(stored(&store, 1).is_some());
    store.check().unwrap();
}

#[test]
fn sqlite_is_built_without_a_lock_around_all_page_caches() {
    let home = Home::sqlite();
    let store = home.open();
    let mut asked = Query::new();
    asked.sql("SELECT sqlite_compileoption_used('ENABLE_MEMORY_MANAGEMENT') + ");
    asked.sql("sqlite_compileoption_used('ENABLE_LOAD_EXTENSION')");

    assert_eq!(store.read(|reader| reader.number(&asked)).unwrap(), 0);
}

/// A resource with a token whose text is told with it.
fn put_told(tx: &mut Tx<'_>, number: usize) -> Result<Written, StoreError> {
    let previous = tx.lock(&key(number))?;
    let tail = Some(tx.pack(ResourceType::PATIENT, &tail(number)));
    let tokens = vec![TokenRow { param: 1, code: 77, system: 0, edge: Edge::Both }];
    let texts = vec![TokenText { param: 1, code: 77, text: "told".to_owned() }];
    let rows = IndexRows { tokens, texts, ..IndexRows::default() };
    let creator = Creator::Nobody;
    let put =
        Put { key: key(number), previous, method: Method::Create, tail, rows, rules: None, definition: None, creator };
    tx.put(put)
}

fn what_was_undone_is_told_again(home: &Home) {
    let store = home.open();
    let tried = store.write(|tx| {
        let undone: Result<(), StoreError> = tx.attempt(|tx| {
            put_told(tx, 1)?;
            Err(StoreError::Busy)
        })?;
        assert!(undone.is_err());
        put_packed(tx, 2, tx.pack(ResourceType::PATIENT, &tail(2))).map(drop)
    });
    tried.unwrap();
    store.write(|tx| put_told(tx, 3).map(drop)).unwrap();

    let texts = store.read(|reader| reader.token_texts(1, &[77])).unwrap();
    assert_eq!(texts, [("told".to_owned(), 77)]);
}

on_both!(what_was_undone_is_told_again);
