//! How many files, and with them connections, the system lets this process have open.

use std::io;

/// Files that are open beside connections, whatever the size of the machine: the log, the listener, what is being loaded.
const OTHER_FILES: usize = 128;
/// For each connection to the database: SQLite has a file, its journal and its shared memory.
const FILES_OF_DATABASE_CONNECTION: usize = 4;

/// Lets this process have as many files open as the system allows it at most, and says how many that is.
///
/// Most systems begin with 1024, for programs of the past that can't deal with more, and leave it to each to ask for more.
pub fn raise_open_files() -> io::Result<usize> {
    rlimit::increase_nofile_limit(u64::MAX).map(|most| usize::try_from(most).unwrap_or(usize::MAX))
}

/// How many of the `wanted` connections can be taken beside those to the database.
///
/// A process without a file to spare takes no connection, but opens no database either, and what was accepted fails.
pub(super) fn room_for(wanted: usize, database_connections: usize) -> usize {
    let most = match raise_open_files() {
        Ok(most) => most,
        Err(error) => {
            tracing::warn!(%error, "How many files may be open is not known: connections are limited by the settings alone");
            return wanted;
        }
    };
    let room = room_beside(most, database_connections);
    if room < wanted {
        tracing::warn!(
            wanted,
            room,
            "The system lets this process have {most} files open, which is too few for that many connections"
        );
    }
    wanted.min(room)
}

fn room_beside(most: usize, database_connections: usize) -> usize {
    most.saturating_sub(OTHER_FILES + FILES_OF_DATABASE_CONNECTION * database_connections).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_has_its_files_first() {
        assert_eq!(room_beside(1024, 10), 1024 - 128 - 40);
        assert_eq!(room_beside(100, 10), 1);
        assert_eq!(room_beside(usize::MAX, 10), usize::MAX - 168);
    }

    #[test]
    fn no_more_is_taken_than_is_wanted() {
        assert_eq!(room_for(3, 10), 3);
    }
}
