//! By what a later load knows again what an earlier one stored: a place and the bytes that stand there.

use std::hash::Hasher as _;
use std::path::{Path, PathBuf};

use siphasher::sip::SipHasher24;

use crate::store::LoadMark;

/// The number of a load: of where it goes, and of the paths in their order.
pub(super) fn load_number(target: &str, paths: &[PathBuf]) -> i64 {
    let mut hasher = SipHasher24::new();
    hasher.write(target.as_bytes());
    for path in paths {
        hasher.write_u8(0);
        hasher.write(absolute(path).as_os_str().as_encoded_bytes());
    }
    hasher.finish() as i64
}

/// The number of a file or of a member of an archive; `name` begins with the path of the file.
pub(super) fn place(name: &str) -> i64 {
    number(absolute(Path::new(name)).as_os_str().as_encoded_bytes())
}

/// The mark of a document as a whole: a file, or a line of it, counted from 1.
pub(super) fn document(place: i64, line: u32, content: &[u8]) -> LoadMark {
    LoadMark { place, part: i64::from(line) << 32, content: number(content) }
}

/// The mark of the entry at `index` of a document.
pub(super) fn entry(document: LoadMark, index: usize) -> LoadMark {
    let index = i64::try_from(index).unwrap_or(i64::from(u32::MAX));
    LoadMark { part: document.part + index + 1, ..document }
}

fn number(bytes: &[u8]) -> i64 {
    let mut hasher = SipHasher24::new();
    hasher.write(bytes);
    hasher.finish() as i64
}

/// The same file may be named from different folders.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_known_by_its_place_and_its_bytes() {
        let here = std::env::current_dir().unwrap().join("a.ndjson");
        let line = |line: u32, text: &str| document(place("a.ndjson"), line, text.as_bytes());

        assert_eq!(place("./a.ndjson"), place(here.to_str().unwrap()));
        assert_ne!(line(3, "a"), line(4, "a"));
        assert_ne!(line(3, "a"), line(3, "b"));
    }

    #[test]
    fn lines_and_entries_do_not_meet() {
        let marks = [(1, None), (1, Some(0)), (1, Some(1)), (2, None), (2, Some(0))].map(|(line, index)| {
            let document = document(0, line, b"");
            index.map_or(document, |index| entry(document, index)).part
        });

        assert!(marks.is_sorted_by(|left, right| left < right), "{marks:?}");
    }

    #[test]
    fn loads_of_other_paths_or_to_other_targets_have_other_numbers() {
        let number =
            |target: &str, paths: &[&str]| load_number(target, &paths.iter().map(PathBuf::from).collect::<Vec<_>>());

        assert_eq!(number("", &["a", "b"]), number("", &["./a", "b"]));
        assert_ne!(number("", &["a", "b"]), number("", &["b", "a"]));
        assert_ne!(number("", &["a"]), number("http://there/fhir", &["a"]));
    }
}
