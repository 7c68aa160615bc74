//! What the tests stand on: a server of their own with a database of its own, and a client for it.

pub mod browser;
pub mod client;
pub mod database;
pub mod holders;
pub mod program;
pub mod raw;
pub mod samples;
pub mod server;
pub mod template;

pub use client::Answer;
pub use database::Database;
pub use samples::{bundle, identifier, observation, patient, patient_called, statuses};
pub use server::TestServer;

/// Makes each behaviour, an `async fn(&TestServer)`, a test on SQLite and a test on PostgreSQL.
/// `closed:` in front of them starts servers that need a token. `by PATH:` has the function there start what they need: it
/// gets the `Database` and the behaviour.
macro_rules! on_both {
    (closed: $($behaviour:ident),+ $(,)?) => { $crate::support::on_both!(@ crate::support::server::run_closed: $($behaviour)+); };
    (by $run:path: $($behaviour:ident),+ $(,)?) => { $crate::support::on_both!(@ $run: $($behaviour)+); };
    ($($behaviour:ident),+ $(,)?) => { $crate::support::on_both!(@ crate::support::server::run: $($behaviour)+); };
    (@ $run:path: $($behaviour:ident)+) => {
        $(
            mod $behaviour {
                #[test]
                fn sqlite() {
                    $run(crate::support::Database::Sqlite, super::$behaviour);
                }

                #[test]
                fn postgres() {
                    $run(crate::support::Database::Postgres, super::$behaviour);
                }
            }
        )+
    };
}

pub(crate) use on_both;
