//! The journal of a load over HTTP: a file with a line for each thing that was sent once for all, stored or refused.
//!
//! A line is on the disk before what it says is relied on: `?` before a request that must not be sent twice, `+` and
//! `-` when its answer has come. What has a `?` and nothing behind it is in doubt.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::load::LoadError;
use crate::load::target::Standing;
use crate::store::LoadMark;

const HEAD: &str = "emberwell load journal 1\n";

pub(super) struct Journal {
    path: PathBuf,
    file: File,
    earlier: HashMap<LoadMark, Standing>,
}

impl Journal {
    /// Opens the journal of a load, or begins it anew. It is locked: the same load can't run twice at a time.
    pub(super) fn open(folder: &Path, load: i64, resume: bool) -> Result<Journal, LoadError> {
        let path = folder.join(format!("load-{load:016x}.journal"));
        let failed = |error: io::Error| failed(&path, &error);
        fs::create_dir_all(folder).map_err(failed)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => LoadError::AlreadyLoading,
            fs::TryLockError::Error(error) => failed(error),
        })?;
        let mut text = String::new();
        if resume {
            file.read_to_string(&mut text).map_err(failed)?;
        }
        let earlier = match text.strip_prefix(HEAD) {
            Some(lines) => standings(lines),
            None if text.is_empty() => HashMap::new(),
            None => return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it is no journal of a load"))),
        };
        if text.is_empty() {
            file.set_len(0).map_err(failed)?;
        }
        let mut journal = Journal { path, file, earlier };
        if text.is_empty() {
            journal.append(HEAD)?;
        } else if !text.ends_with('\n') {
            // The last line was torn.
            journal.append("\n")?;
        }
        Ok(journal)
    }

    pub(super) fn standing(&self, mark: &LoadMark) -> Standing {
        self.earlier.get(mark).copied().unwrap_or(Standing::New)
    }

    /// Notes what is about to be sent and must not be sent twice.
    pub(super) fn sent(&mut self, marks: &[LoadMark]) -> Result<(), LoadError> {
        self.append(&lines('?', marks))
    }

    /// Notes that the server has done none of this.
    pub(super) fn refused(&mut self, marks: &[LoadMark]) -> Result<(), LoadError> {
        self.append(&lines('-', marks))
    }

    /// Notes what the server has stored, and what not.
    pub(super) fn answered(&mut self, stored: &[LoadMark], refused: &[LoadMark]) -> Result<(), LoadError> {
        self.append(&(lines('+', stored) + &lines('-', refused)))
    }

    fn append(&mut self, text: &str) -> Result<(), LoadError> {
        if text.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> LoadError {
    LoadError::Journal { path: path.display().to_string(), problem: error.to_string() }
}

fn lines(sign: char, marks: &[LoadMark]) -> String {
    let mut text = String::with_capacity(marks.len() * 44);
    for LoadMark { place, part, content } in marks {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{sign} {place:016x} {part:x} {content:016x}");
    }
    text
}

/// What the lines say; one that is torn says nothing.
fn standings(lines: &str) -> HashMap<LoadMark, Standing> {
    let mut standings = HashMap::new();
    for line in lines.split_inclusive('\n') {
        if let Some((sign, mark)) = line.strip_suffix('\n').and_then(parsed) {
            match sign {
                "+" => standings.insert(mark, Standing::Stored),
                "?" => standings.insert(mark, Standing::InDoubt),
                _ => standings.remove(&mark),
            };
        }
    }
    standings
}

fn parsed(line: &str) -> Option<(&str, LoadMark)> {
    let mut words = line.split(' ');
    let sign = words.next()?;
    let mut number = || u64::from_str_radix(words.next()?, 16).ok().map(|number| number as i64);
    let (place, part, content) = (number()?, number()?, number()?);
    Some((sign, LoadMark { place, part, content }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(place: i64, part: i64) -> LoadMark {
        LoadMark { place, part, content: -1 }
    }

    #[test]
    fn what_was_sent_and_never_answered_is_in_doubt() {
        let text =
            lines('?', &[mark(1, 0), mark(2, 1), mark(3, 7)]) + &lines('+', &[mark(2, 1)]) + &lines('-', &[mark(3, 7)]);

        let standings = standings(&text);

        assert_eq!(standings.get(&mark(1, 0)), Some(&Standing::InDoubt));
        assert_eq!(standings.get(&mark(2, 1)), Some(&Standing::Stored));
        assert_eq!(standings.get(&mark(3, 7)), None);
    }

    #[test]
    fn a_torn_line_says_nothing() {
        let whole = lines('+', &[mark(1, 0)]);
        for length in 0..whole.len() {
            assert!(standings(&whole[..length]).is_empty(), "{length}");
        }
    }
}
