//! The way through the trail: block by block in the order of time, until a page is full.
//!
//! A block bears the moment of its last event, and its others are at most a second older. So an event is in its place as soon
//! as no block that is still to be read can have one before it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::access::Caller;
use crate::audit::{Event, EventId, SPAN_US, told};
use crate::interactions::InteractionError;
use crate::interactions::trail::asked::Asked;
use crate::interactions::trail::sight::Sight;
use crate::store::{AuditLink, AuditWalk, Reader, StoreError};

/// So many blocks are read at once.
const AT_ONCE: i64 = 50;
/// So many blocks are read for a page, which may be short by that: its link goes on.
const MOST_BLOCKS: usize = 500;

/// An event with its id.
pub(super) struct Found {
    pub id: EventId,
    pub event: Event,
}

/// A place in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub at_us: i64,
    pub chain: i64,
    pub seq: i64,
    pub place: i64,
}

impl Found {
    fn place(&self) -> Place {
        let EventId { chain, seq, place } = self.id;
        Place { at_us: self.event.at_us, chain, seq, place }
    }
}

/// What a page shows.
pub(super) struct Page {
    pub found: Vec<Found>,
    /// The place behind which the next page begins; `None` on the last one.
    pub next: Option<Place>,
}

/// Reads the page that begins behind `start`, or at the beginning. `ends` has the last block of each chain that is looked at.
pub(super) fn walk(
    reader: &mut Reader<'_>,
    caller: &Caller,
    asked: &Asked,
    sight: &Sight,
    start: Option<Place>,
    ends: &BTreeMap<i64, i64>,
) -> Result<Page, InteractionError> {
    let mut way = Way { asked, ends, start, patients: patients(asked, sight), found: Vec::new() };
    if way.patients.as_ref().is_some_and(Vec::is_empty) {
        return Ok(way.page(true, 0));
    }
    if let Some(ids) = &asked.ids {
        let blocks: BTreeSet<(i64, i64)> = ids.iter().map(|id| (id.chain, id.seq)).collect();
        let mut fresh = Vec::new();
        for (chain, seq) in blocks {
            let links = reader.audit_links(chain, seq - 1, 1)?;
            way.read(links.iter().filter(|link| (link.chain, link.seq) == (chain, seq)), &mut fresh)?;
        }
        fresh.retain(|found| ids.contains(&found.id));
        way.take(sight.seen(reader, caller, fresh)?);
        return Ok(way.page(true, 0));
    }
    let (mut behind, until_us) = way.bounds();
    let mut read = 0;
    loop {
        let walk = AuditWalk {
            patients: way.patients.as_deref(),
            is_ascending: asked.is_ascending,
            behind,
            until_us,
            most: AT_ONCE,
        };
        let links = reader.audit_walk(&walk)?;
        let mut fresh = Vec::new();
        way.read(links.iter(), &mut fresh)?;
        way.take(sight.seen(reader, caller, fresh)?);
        read += links.iter().filter(|link| way.is_new(link)).count();
        let is_last = (links.len() as i64) < AT_ONCE;
        if let Some(last) = links.last() {
            behind = (last.at_us, last.chain, last.seq);
        }
        if is_last || read >= MOST_BLOCKS || way.settled(behind.0) > asked.count {
            return Ok(way.page(is_last, behind.0));
        }
    }
}

/// The keys of the Patients whose blocks are read; `None` is for all blocks.
fn patients(asked: &Asked, sight: &Sight) -> Option<Vec<i64>> {
    match (asked.patients(), sight.records()) {
        (None, records) => records.map(|records| records.into_iter().collect()),
        (Some(asked), None) => Some(asked),
        (Some(asked), Some(records)) => Some(asked.into_iter().filter(|patient| records.contains(patient)).collect()),
    }
}

/// A walk under way.
struct Way<'w> {
    asked: &'w Asked,
    ends: &'w BTreeMap<i64, i64>,
    start: Option<Place>,
    patients: Option<Vec<i64>>,
    /// In their order.
    found: Vec<Found>,
}

impl Way<'_> {
    /// Behind which block to begin, and the last moment of a block with anything that is asked for.
    fn bounds(&self) -> ((i64, i64, i64), i64) {
        let (from_us, to_us) = (self.asked.from_us, self.asked.to_us);
        if self.asked.is_ascending {
            let first_us = self.start.map_or(from_us, |start| start.at_us.max(from_us));
            return ((first_us.saturating_sub(1), i64::MAX, i64::MAX), to_us.saturating_add(SPAN_US));
        }
        let last_us = self.start.map_or(to_us, |start| start.at_us.min(to_us));
        ((last_us.saturating_add(SPAN_US + 1), i64::MIN, i64::MIN), from_us)
    }

    /// Adds what the blocks have of what is asked for.
    fn read<'l>(&self, links: impl Iterator<Item = &'l AuditLink>, fresh: &mut Vec<Found>) -> Result<(), StoreError> {
        for link in links.filter(|link| self.ends.get(&link.chain).is_some_and(|end| link.seq <= *end)) {
            let events = told(link)?.into_iter().map(|(id, event)| Found { id, event });
            fresh.extend(events.filter(|found| self.is_ahead(found) && self.asked.is_for(&found.event)));
        }
        Ok(())
    }

    fn take(&mut self, fresh: Vec<Found>) {
        self.found.extend(fresh);
        let order = self.order();
        self.found.sort_by(|left, right| order(&left.place(), &right.place()));
    }

    fn order(&self) -> fn(&Place, &Place) -> Ordering {
        match self.asked.is_ascending {
            true => |left, right| left.cmp(right),
            false => |left, right| right.cmp(left),
        }
    }

    /// Whether it was not shown before.
    fn is_ahead(&self, found: &Found) -> bool {
        self.start.is_none_or(|start| (self.order())(&found.place(), &start) == Ordering::Greater)
    }

    /// Whether the block was not read for the page before already, in search of what is a little older than its block.
    fn is_new(&self, link: &AuditLink) -> bool {
        self.start.is_none_or(|start| match self.asked.is_ascending {
            true => link.at_us > start.at_us.saturating_add(SPAN_US),
            false => link.at_us < start.at_us,
        })
    }

    /// How many events are in their place when all blocks up to this moment were read.
    fn settled(&self, read_us: i64) -> usize {
        self.found.partition_point(|found| match self.asked.is_ascending {
            true => found.event.at_us < read_us.saturating_sub(SPAN_US),
            false => found.event.at_us > read_us,
        })
    }

    /// The page, when blocks were read up to this moment, or to the last one.
    fn page(mut self, is_last: bool, read_us: i64) -> Page {
        let settled = if is_last { self.found.len() } else { self.settled(read_us) };
        let count = self.asked.count;
        let next = if settled > count {
            self.found.get(count.saturating_sub(1)).map(Found::place)
        } else if is_last {
            None
        } else {
            // All that comes before this place was shown, and nothing that comes behind it.
            Some(match self.asked.is_ascending {
                true => {
                    Place { at_us: read_us.saturating_sub(SPAN_US), chain: i64::MIN, seq: i64::MIN, place: i64::MIN }
                }
                false => Place { at_us: read_us, chain: i64::MAX, seq: i64::MAX, place: i64::MAX },
            })
        };
        self.found.truncate(settled.min(count));
        Page { found: self.found, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Outcome, block};
    use crate::clock;
    use crate::fhir::ResourceType;
    use crate::search::{CompileContext, Handling, ParseContext, Registry, Right, parse, parse_query_string};
    use crate::store::{AuditBlock, Store, StoreError};

    /// So many events of as many milliseconds, in blocks whose moments overlap.
    const EVENTS: i64 = 3_000;

    fn event(number: i64) -> Event {
        let (outcome, patient) = (Outcome::Done, (number % 3 == 0).then_some(7));
        Event { at_us: number * 1_000, deed: "read".into(), outcome, patient, ..Event::default() }
    }

    fn fill(store: &Store) {
        let mut blocks: Vec<Vec<Event>> = Vec::new();
        for number in 0..EVENTS {
            match number % 5 {
                // A write by itself; and reads, four hundred milliseconds of them at once.
                0 => blocks.push(vec![event(number)]),
                _ if number % 400 == 1 || blocks.len() < 2 => blocks.push(vec![event(number)]),
                _ => match blocks.iter_mut().rev().find(|block| block[0].at_us % 5_000 != 0) {
                    Some(block) => block.push(event(number)),
                    None => blocks.push(vec![event(number)]),
                },
            }
        }
        let blocks: Vec<AuditBlock> = blocks.iter().map(|events| block(events).unwrap()).collect();
        store
            .write(move |tx| {
                blocks.iter().try_for_each(|block| tx.append_audit(block))?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }

    fn all_pages(store: &Store, query: &str) -> (Vec<i64>, usize) {
        let registry = Registry::bundled();
        let context = ParseContext { handling: Handling::Strict, bases: &[], registry };
        let pairs = parse_query_string(query).unwrap();
        let request = parse(Some(ResourceType::AUDIT_EVENT), &pairs, &context).unwrap();
        let caller = Caller::system("test");
        let read = |start| {
            let page = store.read(|reader| {
                let hasher = reader.hasher();
                let context = CompileContext {
                    hasher: &hasher,
                    dialect: reader.dialect(),
                    now_us: clock::now_us(),
                    zone_minutes: 0,
                };
                let asked = Asked::of(&request, &context)?;
                let sight = Sight::of(reader, &caller, Right::Search)?;
                let ends = reader.audit_heads()?.into_iter().map(|head| (head.chain, head.seq)).collect();
                walk(reader, &caller, &asked, &sight, start, &ends)
            });
            page.map_err(|error: InteractionError| error.to_string()).unwrap()
        };
        let (mut found, mut pages, mut start) = (Vec::new(), 0, None);
        loop {
            let page = read(start);
            pages += 1;
            found.extend(page.found.iter().map(|found| found.event.at_us / 1_000));
            match page.next {
                Some(next) => start = Some(next),
                None => return (found, pages),
            }
        }
    }

    #[test]
    fn pages_come_in_the_order_of_time_and_end() {
        let folder = std::env::temp_dir().join(format!("emberwell_trail_{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.join("emberwell.db").display()), 1, None).unwrap();
        fill(&store);
        let wanted: Vec<i64> = (0..EVENTS).collect();

        for count in [7, 100, 1000] {
            let (oldest, pages) = all_pages(&store, &format!("_sort=date&_count={count}"));
            assert_eq!(oldest, wanted, "{count}");
            assert!(pages <= 3_000 / count + 4, "{count}: {pages}");
            let (mut newest, _) = all_pages(&store, &format!("_count={count}"));
            newest.reverse();
            assert_eq!(newest, wanted, "{count}");
        }
        // Whoever finds little gets pages all the same, each after so many blocks.
        let (rare, pages) = all_pages(&store, "date=lt1970-01-01T00:00:00.003Z&_sort=-date");
        assert_eq!((rare, pages), (vec![2, 1, 0], 1));
        let (none, pages) = all_pages(&store, "action=D");
        assert!(none.is_empty() && pages > 1, "{pages}");
        let (within, _) =
            all_pages(&store, "date=ge1970-01-01T00:00:01.200Z&date=le1970-01-01T00:00:01.300Z&_sort=date&_count=9");
        assert_eq!(within, (1_200..=1_300).collect::<Vec<_>>());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
