//! Finding the files, and reading documents out of them.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::fhir::json;
use crate::load::{LoadError, archive, mark};
use crate::store::LoadMark;

/// Folders inside folders are looked into so deep.
const DEEPEST_FOLDER: usize = 16;
/// A larger JSON file is refused, unpacked.
const LARGEST_JSON: u64 = 512 << 20;
/// A longer line of NDJSON is refused.
const LONGEST_LINE: u64 = 64 << 20;

/// One JSON text, or what kept it from being read.
pub(super) struct Document {
    pub(super) name: String,
    /// By what a later load knows it.
    pub(super) mark: LoadMark,
    pub(super) value: Result<Value, String>,
}

impl Document {
    /// `place` is the hash of the file's name; lines are counted from 1, and there is no line 0.
    fn parsed(name: String, place: i64, line: u32, text: &[u8]) -> Document {
        let value = json::parse(text).map_err(|error| error.to_string());
        Document { name, mark: mark::document(place, line, text), value }
    }

    pub(super) fn unreadable(name: String, problem: String) -> Document {
        Document { name, mark: mark::document(0, 0, b""), value: Err(problem) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Ndjson,
    Archive,
}

impl Kind {
    /// By the end of the name; the flag says whether it is packed with gzip.
    pub(super) fn of(name: &str) -> Option<(Kind, bool)> {
        let ends = |end: &str| name.ends_with(end);
        Some(match () {
            () if ends(".tar.gz") || ends(".tgz") => (Kind::Archive, true),
            () if ends(".ndjson") => (Kind::Ndjson, false),
            () if ends(".ndjson.gz") => (Kind::Ndjson, true),
            () if ends(".json") => (Kind::Json, false),
            () if ends(".json.gz") => (Kind::Json, true),
            () => return None,
        })
    }
}

/// Whether others refer to what is in the file by condition: it must come before them. The names are Synthea's.
pub(super) fn is_referred_to(name: &str) -> bool {
    name.starts_with("0-") || name.starts_with("hospitalInformation") || name.starts_with("practitionerInformation")
}

/// A file that can be loaded.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    kind: Kind,
    is_packed: bool,
}

/// The files at `paths`; those of a folder by name, first those that others refer to.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<File>, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        let unreadable = |error: io::Error| unreadable(path, &error);
        if fs::metadata(path).map_err(unreadable)?.is_dir() {
            let mut found = Vec::new();
            folder(path, 0, &mut found)?;
            found.sort_by_cached_key(|file| (!is_referred_to(&file_name(&file.path)), file.path.clone()));
            files.append(&mut found);
        } else {
            let (kind, is_packed) =
                Kind::of(&file_name(path)).ok_or_else(|| LoadError::UnknownKind(path.display().to_string()))?;
            files.push(File { path: path.clone(), kind, is_packed });
        }
    }
    Ok(files)
}

/// Links are not followed: one could lead in a circle.
fn folder(path: &Path, depth: usize, found: &mut Vec<File>) -> Result<(), LoadError> {
    let unreadable = |error: io::Error| unreadable(path, &error);
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() && depth < DEEPEST_FOLDER {
            folder(&entry.path(), depth + 1, found)?;
        } else if kind.is_file()
            && let Some((kind, is_packed)) = Kind::of(&entry.file_name().to_string_lossy())
        {
            found.push(File { path: entry.path(), kind, is_packed });
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> LoadError {
    LoadError::Unreadable { path: path.display().to_string(), problem: error.to_string() }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

impl File {
    /// Hands the wanted documents to `sink` until that answers `false`, and then answers `false` too.
    pub(super) fn read(&self, wanted: &dyn Fn(&str) -> bool, sink: &mut dyn FnMut(Document) -> bool) -> bool {
        let name = self.path.display().to_string();
        if self.kind == Kind::Archive {
            return archive::read(&self.path, &name, wanted, sink);
        }
        if self.kind == Kind::Json && !wanted(&name) {
            return true;
        }
        match fs::File::open(&self.path) {
            Ok(file) => documents(&name, self.kind, self.is_packed, file, wanted, sink),
            Err(error) => sink(Document::unreadable(name, format!("the file can't be read: {error}"))),
        }
    }
}

/// The documents in `input`, which is no archive.
pub(super) fn documents(
    name: &str,
    kind: Kind,
    is_packed: bool,
    input: impl Read,
    wanted: &dyn Fn(&str) -> bool,
    sink: &mut dyn FnMut(Document) -> bool,
) -> bool {
    let input = BufReader::with_capacity(1 << 16, input);
    if is_packed {
        unpacked(name, kind, BufReader::with_capacity(1 << 16, MultiGzDecoder::new(input)), wanted, sink)
    } else {
        unpacked(name, kind, input, wanted, sink)
    }
}

fn unpacked(
    name: &str,
    kind: Kind,
    mut input: impl BufRead,
    wanted: &dyn Fn(&str) -> bool,
    sink: &mut dyn FnMut(Document) -> bool,
) -> bool {
    let place = mark::place(name);
    if kind == Kind::Json {
        return sink(match whole(input) {
            Ok(bytes) => Document::parsed(name.to_owned(), place, 0, &bytes),
            Err(problem) => Document::unreadable(name.to_owned(), problem),
        });
    }
    let mut line = Vec::new();
    for number in 1u32.. {
        line.clear();
        let name = format!("{name} line {number}");
        let is_last = match input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) => return true,
            Ok(_) if line.len() as u64 == LONGEST_LINE && line.last() != Some(&b'\n') => {
                Some("the line is longer than 64 MiB".to_owned())
            }
            Ok(_) => None,
            Err(error) => Some(format!("the file can't be read: {error}")),
        };
        if let Some(problem) = is_last {
            return sink(Document::unreadable(name, problem));
        }
        let text = line.trim_ascii();
        if !text.is_empty() && wanted(&name) && !sink(Document::parsed(name, place, number, text)) {
            return false;
        }
    }
    true
}

fn whole(input: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    input.take(LARGEST_JSON + 1).read_to_end(&mut bytes).map_err(|error| format!("the file can't be read: {error}"))?;
    if bytes.len() as u64 > LARGEST_JSON {
        return Err("the file is larger than 512 MiB: split it, or use NDJSON".to_owned());
    }
    Ok(bytes)
}
