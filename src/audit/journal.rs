//! What was read and what was refused, told within a second.
//!
//! A read waits for no disk: its story goes into a buffer, which a thread of its own empties four times a second, and once more
//! when the server stops. A buffer that is full takes no new requests: they are refused before they read anything, so that
//! nothing is ever given out untold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::access::{Agent, Deed, Note};
use crate::audit::event::{Event, Outcome, SPAN_US, block};
use crate::audit::owners::{Owned, Version, of_key, owned};
use crate::audit::written::some_or_none;
use crate::fhir::ResourceKey;
use crate::store::{AuditBlock, Reader, Store, StoreError};

/// So long a story waits, apart from the time that the disk takes.
const WAIT: Duration = Duration::from_millis(250);
/// The buffer is emptied at once from this weight on, and full at the next. A story weighs 1, and 1 more for each resource.
const HEAVY: usize = 20_000;
const FULL: usize = 200_000;
/// So many events make a block at most.
const EVENTS: usize = 2_000;
/// How often the last stories are tried to be written when the server stops.
const LAST_TRIES: usize = 20;

/// What is to be told of a request.
#[derive(Clone, Debug)]
pub struct Story {
    pub agent: Arc<Agent>,
    pub network: Option<String>,
    pub request: String,
    pub at_us: i64,
    /// The address below the base, or what was asked for in its stead; empty where no event tells it.
    pub query: String,
    /// What was given out.
    pub given: Vec<Note>,
    /// What was refused, with which status, and what it was about.
    pub refused: Vec<(Deed, u16, Option<ResourceKey>)>,
}

impl Story {
    fn weight(&self) -> usize {
        1 + self.refused.len() + self.given.iter().map(|note| 1 + note.given.len() + note.events.len()).sum::<usize>()
    }
}

/// The buffer, and the thread that empties it.
pub struct Journal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    woken: Condvar,
}

#[derive(Default)]
struct Waiting {
    stories: Vec<Story>,
    /// Of these stories and of those that are being written.
    weight: usize,
    is_closed: bool,
}

impl Journal {
    /// Starts the thread. `bases` are the server's own base URLs, without a slash at the end.
    pub fn start(store: Arc<Store>, bases: Arc<[String]>) -> Result<Journal, StoreError> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || of_thread.run(&store, &bases))
            .map_err(|error| StoreError::Unreachable(error.to_string()))?;
        Ok(Journal { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Whether another request may read; asked before it does.
    pub fn has_room(&self) -> bool {
        self.shared.lock().weight < FULL
    }

    /// Takes the story of a request for which there was room.
    pub fn add(&self, story: Story) {
        let mut waiting = self.shared.lock();
        waiting.weight += story.weight();
        waiting.stories.push(story);
        if waiting.weight >= HEAVY {
            self.shared.woken.notify_one();
        }
    }

    /// Writes what is left, and ends.
    pub fn close(&self) {
        self.shared.lock().is_closed = true;
        self.shared.woken.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("The thread of the audit trail panicked");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, store: &Store, bases: &[String]) {
        let mut tries = 0;
        // Those that are still to be written because the database refused them.
        let mut stories = Vec::new();
        loop {
            let is_closed = self.wait(&mut stories, tries);
            if stories.is_empty() && is_closed {
                return;
            }
            match write(store, bases, &stories) {
                Ok(()) => {
                    let weight: usize = stories.iter().map(Story::weight).sum();
                    self.lock().weight -= weight;
                    (stories, tries) = (Vec::new(), 0);
                }
                Err(error) => {
                    tries += 1;
                    tracing::error!(%error, stories = stories.len(), "The audit trail could not be written; it is tried again");
                    if is_closed && tries >= LAST_TRIES {
                        tracing::error!(stories = stories.len(), "The end of the audit trail is lost");
                        return;
                    }
                }
            }
        }
    }

    /// Takes over what has come. Returns at once when there is much or when it is over, unless the last try failed.
    fn wait(&self, stories: &mut Vec<Story>, tries: usize) -> bool {
        let mut waiting = self.lock();
        if tries > 0 || !waiting.is_closed && waiting.weight < HEAVY {
            waiting = self.woken.wait_timeout(waiting, WAIT).unwrap_or_else(PoisonError::into_inner).0;
        }
        stories.append(&mut waiting.stories);
        waiting.is_closed
    }
}

fn write(store: &Store, bases: &[String], stories: &[Story]) -> Result<(), StoreError> {
    if stories.is_empty() {
        return Ok(());
    }
    let events = store.read(|reader| events(reader, bases, stories))?;
    let blocks: Vec<AuditBlock> = in_blocks(&events).map(block).collect::<Result<_, _>>()?;
    store.write(move |tx| blocks.iter().try_for_each(|block| tx.append_audit(block)))
}

/// The events in the portions that make blocks: no more than `EVENTS`, and none much older than another.
fn in_blocks(events: &[Event]) -> impl Iterator<Item = &[Event]> {
    fn second(event: &Event) -> i64 {
        event.at_us.div_euclid(SPAN_US)
    }
    events.chunk_by(|left, right| second(left) == second(right)).flat_map(|some| some.chunks(EVENTS))
}

/// The events of the stories, the oldest first.
fn events(reader: &mut Reader<'_>, bases: &[String], stories: &[Story]) -> Result<Vec<Event>, StoreError> {
    let versions: BTreeSet<Version> =
        stories.iter().flat_map(|story| &story.given).flat_map(|note| &note.given).copied().collect();
    let owned = owned(reader, bases, &versions)?;
    let mut events = Vec::with_capacity(stories.len());
    for story in stories {
        let new = |deed| Event {
            network: story.network.clone(),
            ..Event::new(&story.agent, &story.request, story.at_us, deed)
        };
        for note in distinct(&story.given) {
            for (patient, entities) in by_patient(note, &owned) {
                let asks = matches!(note.deed, Deed::Search | Deed::History);
                let query = asks.then(|| note.query.clone().unwrap_or_else(|| story.query.clone()));
                let entities = if asks { Vec::new() } else { entities };
                events.push(Event { patient, entities, query, ..new(note.deed) });
            }
        }
        for (deed, status, key) in &story.refused {
            let patients = key.as_ref().map(|key| of_key(reader, key)).transpose()?.unwrap_or_default();
            for patient in some_or_none(patients) {
                let entities = key.iter().map(ResourceKey::to_string).collect();
                let (outcome, query) = (Outcome::Refused(*status), Some(story.query.clone()));
                events.push(Event { patient, entities, query, outcome, ..new(*deed) });
            }
        }
    }
    // A story is told when its request ends, which may have begun long before those that were told already.
    events.sort_by_key(|event: &Event| event.at_us);
    Ok(events)
}

/// The notes, without those that say the same: a search that was tried out first, or done again.
fn distinct(notes: &[Note]) -> impl Iterator<Item = &Note> {
    notes.iter().enumerate().filter_map(|(place, note)| {
        let same = |other: &Note| {
            (other.deed, &other.query, &other.given, &other.events)
                == (note.deed, &note.query, &note.given, &note.events)
        };
        (!notes.iter().take(place).any(same)).then_some(note)
    })
}

/// What was given out of each record. What is in none counts where nothing else was given out.
fn by_patient(note: &Note, owned: &HashMap<Version, Owned>) -> BTreeMap<Option<i64>, Vec<String>> {
    let mut found: BTreeMap<Option<i64>, Vec<String>> = BTreeMap::new();
    let mut in_none = Vec::new();
    for version in &note.given {
        let Some(owned) = owned.get(version) else { continue };
        let entity = format!("{}/_history/{}", owned.key, version.1);
        for patient in &owned.patients {
            found.entry(Some(*patient)).or_default().push(entity.clone());
        }
        if owned.patients.is_empty() {
            in_none.push(entity);
        }
    }
    for (patient, event) in &note.events {
        match patient {
            Some(patient) => found.entry(Some(*patient)).or_default().push(event.clone()),
            None => in_none.push(event.clone()),
        }
    }
    if found.is_empty() {
        found.insert(None, in_none);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(resources: i64) -> Story {
        let given = (0..resources).map(|rid| (rid, 1)).collect();
        Story {
            agent: Arc::default(),
            network: None,
            request: "request-1".to_owned(),
            at_us: 1,
            query: "Observation".to_owned(),
            given: vec![Note { deed: Deed::Search, query: None, given, events: Vec::new() }],
            refused: Vec::new(),
        }
    }

    #[test]
    fn a_full_buffer_takes_no_more_until_it_is_written() {
        let journal = Journal { shared: Arc::default(), thread: Mutex::new(None) };
        journal.add(story(1));
        assert!(journal.has_room());
        journal.add(story(FULL as i64));
        assert!(!journal.has_room());

        let folder = std::env::temp_dir().join(format!("emberwell_journal_{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.join("emberwell.db").display()), 1, None).unwrap();
        journal.shared.lock().is_closed = true;
        journal.shared.run(&store, &[]);

        assert!(journal.has_room());
        let checked = store.read(crate::audit::check).unwrap();
        assert_eq!((checked.events, checked.broken), (2, None));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_was_tried_out_first_is_told_once() {
        let mut twice = story(3).given;
        twice.extend(story(3).given);
        twice.extend(story(2).given);

        assert_eq!(distinct(&twice).count(), 2);
    }
}
