//! Archives (.tar.gz), read as a stream: nothing of them is written to the disk, so that names can do no harm.

use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry};

use crate::load::input::{Document, Kind, documents, is_referred_to};

/// How much of an archive is read. What is beyond is not read, and that is told.
#[derive(Clone, Copy)]
struct Bounds {
    members: usize,
    /// Of the archive unpacked, the heads of its members included.
    bytes: u64,
}

const BOUNDS: Bounds = Bounds { members: 10_000, bytes: 1 << 30 };

/// Hands the wanted documents of the archive to `sink`, first those that others refer to; `false` when `sink` says so.
pub(super) fn read(
    path: &Path,
    name: &str,
    wanted: &dyn Fn(&str) -> bool,
    sink: &mut dyn FnMut(Document) -> bool,
) -> bool {
    read_within(BOUNDS, path, name, wanted, sink)
}

fn read_within(
    bounds: Bounds,
    path: &Path,
    name: &str,
    wanted: &dyn Fn(&str) -> bool,
    sink: &mut dyn FnMut(Document) -> bool,
) -> bool {
    // A stream can't go back, so it is read twice.
    [true, false].into_iter().all(|referred_to| match members(bounds, path, name, referred_to, wanted, sink) {
        Ok(goes_on) => goes_on,
        // What is wrong with the archive is told once, in the round that reads everything else.
        Err(_) if referred_to => true,
        Err(problem) => sink(Document::unreadable(name.to_owned(), problem)),
    })
}

fn members(
    bounds: Bounds,
    path: &Path,
    name: &str,
    referred_to: bool,
    wanted: &dyn Fn(&str) -> bool,
    sink: &mut dyn FnMut(Document) -> bool,
) -> Result<bool, String> {
    let broken = |error: std::io::Error| format!("the archive can't be read to its end: {error}");
    let file = fs::File::open(path).map_err(broken)?;
    let unpacked = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file)).take(bounds.bytes + 1);
    let mut archive = Archive::new(unpacked);
    for (index, member) in archive.entries().map_err(broken)?.enumerate() {
        if index >= bounds.members {
            return Err(format!("the archive has more than {} members: the others were not read", bounds.members));
        }
        let member = member.map_err(broken)?;
        let kind = member.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        let short = short_name(&member);
        if is_referred_to(&short) != referred_to {
            continue;
        }
        let full = format!("{name}!{index}:{short}");
        let goes_on = match Kind::of(&short) {
            _ if !kind.is_file() => {
                sink(Document::unreadable(full, "links and devices in archives are not read".to_owned()))
            }
            Some((Kind::Archive, _)) => {
                sink(Document::unreadable(full, "archives in archives are not read".to_owned()))
            }
            Some((Kind::Json, _)) if !wanted(&full) => true,
            // A packed member may unpack to any size: it is bounded like a file of its own.
            Some((kind, is_packed)) => documents(&full, kind, is_packed, member, wanted, sink),
            None => true,
        };
        if !goes_on {
            return Ok(false);
        }
    }
    // The end of a cut archive looks like its regular end.
    if archive.into_inner().limit() == 0 {
        return Err(format!("the archive unpacks to more than {} MiB: the rest was not read", bounds.bytes >> 20));
    }
    Ok(true)
}

/// The last part of the member's name, for telling its kind and for messages only.
fn short_name<R: Read>(member: &Entry<'_, R>) -> String {
    let path = member.path_bytes();
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    String::from_utf8_lossy(last).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, EntryType, Header};

    use super::*;

    struct Packed(PathBuf);

    impl Packed {
        /// An archive of these members: names as they are, whatever they lead to.
        fn of(test: &str, members: &[(&str, EntryType, &str)]) -> Packed {
            let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
            for (name, kind, text) in members {
                let mut header = Header::new_old();
                header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
                header.set_entry_type(*kind);
                header.set_size(text.len() as u64);
                header.set_mode(0o644);
                header.set_cksum();
                archive.append(&header, text.as_bytes()).unwrap();
            }
            let path = std::env::temp_dir().join(format!("emberwell-archive-{test}-{}.tar.gz", std::process::id()));
            fs::write(&path, archive.into_inner().unwrap().finish().unwrap()).unwrap();
            Packed(path)
        }

        /// What is read, by name, and what is told of the rest.
        fn read(&self, bounds: Bounds) -> (Vec<String>, Vec<String>) {
            let (mut read, mut told) = (Vec::new(), Vec::new());
            let goes_on = read_within(bounds, &self.0, "a", &|_| true, &mut |document| {
                match document.value {
                    Ok(_) => read.push(document.name),
                    Err(problem) => told.push(format!("{}: {problem}", document.name)),
                }
                true
            });
            assert!(goes_on);
            (read, told)
        }
    }

    impl Drop for Packed {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    const FILE: EntryType = EntryType::Regular;
    const WIDE: Bounds = Bounds { members: 100, bytes: 1 << 20 };

    #[test]
    fn an_archive_may_have_10_000_members_and_unpack_to_1_gib() {
        assert_eq!((BOUNDS.members, BOUNDS.bytes), (10_000, 1_073_741_824));
        let archive = Packed::of("members", &[("1.json", FILE, "{}"), ("2.json", FILE, "{}"), ("3.json", FILE, "{}")]);

        assert_eq!(archive.read(Bounds { members: 3, ..WIDE }).0.len(), 3);
        let (read, told) = archive.read(Bounds { members: 2, ..WIDE });
        assert_eq!(read, ["a!0:1.json", "a!1:2.json"]);
        assert_eq!(told, ["a: the archive has more than 2 members: the others were not read"]);
    }

    #[test]
    fn an_archive_is_read_up_to_its_last_byte_and_no_further() {
        // A member is a head of 512 bytes and whole blocks of 512; the first of two empty blocks tells the end.
        let archive = Packed::of("bytes", &[("1.json", FILE, "{}"), ("2.json", FILE, "{}")]);
        let all = 4 * 512 + 512;

        assert_eq!(archive.read(Bounds { bytes: all, ..WIDE }), archive.read(WIDE));
        let (read, told) = archive.read(Bounds { bytes: all - 1, ..WIDE });
        assert_eq!((read.len(), told.len()), (2, 1));
        assert!(told[0].contains("unpacks to more than"), "{told:?}");
    }

    #[test]
    fn links_and_archives_within_are_told_and_names_lead_nowhere() {
        let archive = Packed::of(
            "names",
            &[
                ("../../etc/../1.json", FILE, "{}"),
                ("/etc/2.json", FILE, "{}"),
                ("link.json", EntryType::Symlink, ""),
                ("hard.json", EntryType::Link, ""),
                ("inner.tar.gz", FILE, "x"),
                ("picture.png", FILE, "x"),
                ("folder.json/", EntryType::Directory, ""),
            ],
        );

        let (read, told) = archive.read(WIDE);

        assert_eq!(read, ["a!0:1.json", "a!1:2.json"]);
        assert_eq!(told.iter().filter(|text| text.contains("links and devices")).count(), 2, "{told:?}");
        assert_eq!(told.iter().filter(|text| text.contains("archives in archives")).count(), 1, "{told:?}");
        assert_eq!(told.len(), 3);
    }
}
