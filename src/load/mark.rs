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

/// The mark of a document as a whole; `name` begins with the path of its file.
pub(super) fn document(name: &str, content: i64) -> LoadMark {
    let place = number(absolute(Path::new(name)).as_os_str().as_encoded_bytes());
    LoadMark { place, content, entry: None }
}

/// The hash of a text.
pub(super) fn number(bytes: &[u8]) -> i64 {
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
        let here = std::env::current_dir().unwrap().join("a.ndjson line 3");

        assert_eq!(document("./a.ndjson line 3", 1), document(here.to_str().unwrap(), 1));
        assert_ne!(document("a.ndjson line 3", 1), document("a.ndjson line 4", 1));
        assert_ne!(document("a.ndjson line 3", 1), document("a.ndjson line 3", 2));
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
