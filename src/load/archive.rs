//! Archives (.tar.gz), read as a stream: nothing of them is written to the disk, so that names can do no harm.

use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry};

use crate::load::input::{Document, Kind, documents, is_referred_to};

/// Archives with more members than this are read up to here.
const MOST_MEMBERS: usize = 10_000;
/// Archives that unpack to more are read up to here.
const MOST_BYTES: u64 = 1 << 30;

/// Hands the wanted documents of the archive to `sink`, first those that others refer to; `false` when `sink` says so.
pub(super) fn read(
    path: &Path,
    name: &str,
    wanted: &dyn Fn(&str) -> bool,
    sink: &mut dyn FnMut(Document) -> bool,
) -> bool {
    // A stream can't go back, so it is read twice.
    [true, false].into_iter().all(|referred_to| match members(path, name, referred_to, wanted, sink) {
        Ok(goes_on) => goes_on,
        // What is wrong with the archive is told once, in the round that reads everything else.
        Err(_) if referred_to => true,
        Err(problem) => sink(Document::unreadable(name.to_owned(), problem)),
    })
}

fn members(
    path: &Path,
    name: &str,
    referred_to: bool,
    wanted: &dyn Fn(&str) -> bool,
    sink: &mut dyn FnMut(Document) -> bool,
) -> Result<bool, String> {
    let broken = |error: std::io::Error| format!("the archive can't be read to its end: {error}");
    let file = fs::File::open(path).map_err(broken)?;
    let unpacked = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file)).take(MOST_BYTES);
    let mut archive = Archive::new(unpacked);
    for (index, member) in archive.entries().map_err(broken)?.enumerate() {
        if index >= MOST_MEMBERS {
            return Err(format!("the archive has more than {MOST_MEMBERS} members: the others were not read"));
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
        return Err("the archive unpacks to more than 1 GiB: the rest was not read".to_owned());
    }
    Ok(true)
}

/// The last part of the member's name, for telling its kind and for messages only.
fn short_name<R: Read>(member: &Entry<'_, R>) -> String {
    let path = member.path_bytes();
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    String::from_utf8_lossy(last).chars().take(200).collect()
}
