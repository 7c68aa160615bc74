//! The dictionaries by which tails are packed: those that this process knows of, and the training of new ones.
//!
//! A dictionary is trained from the resources of a type that are there when enough have come in, on a thread of its own
//! with a connection of its own. It is on the disk before the first tail is packed by it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt};
use diesel::{Connection as _, PgConnection, RunQueryDsl};

use crate::fhir::ResourceType;
use crate::store::codec::{self, Dictionary, FIRST_DICTIONARY, Packed};
use crate::store::reader::{Link, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, sqlite};

/// After so many resources of a type were packed a dictionary is trained, and after four times as many another.
const FIRST_TRAINING: u32 = 500;
const GROWTH: u32 = 4;
const DICTIONARY_BYTES: usize = 32 << 10;
const MOST_SAMPLES: i64 = 2000;
/// No more of one sample is looked at: a few large ones must not outweigh the others.
const LARGEST_SAMPLE: usize = 8 << 10;
/// A dictionary must pack the samples to this part of what zstd alone makes of them, or it is not worth its keep.
const WORTH_IT: f64 = 0.8;

/// All dictionaries that were met so far.
pub(super) struct Dictionaries {
    /// `sqlite:PATH` or `postgres://..`
    address: String,
    by_number: RwLock<HashMap<i16, Arc<Dictionary>>>,
    /// By the database number of the type.
    types: Vec<OfType>,
    training: Mutex<Option<JoinHandle<()>>>,
}

struct OfType {
    newest: RwLock<Option<Arc<Dictionary>>>,
    packed: AtomicU32,
    /// When `packed` comes to this, a dictionary is trained.
    next_training: AtomicU32,
}

impl Dictionaries {
    /// The set of a database that was just opened, with the newest of each type.
    pub(super) fn load(address: &str, mut link: Link<'_>) -> Result<Dictionaries, StoreError> {
        let of_type = |_| OfType {
            newest: RwLock::new(None),
            packed: AtomicU32::new(0),
            next_training: AtomicU32::new(FIRST_TRAINING),
        };
        let dictionaries = Dictionaries {
            address: address.to_owned(),
            by_number: RwLock::default(),
            types: ResourceType::all().map(of_type).collect(),
            training: Mutex::new(None),
        };
        let select = fixed!(
            (SmallInt, SmallInt, Binary),
            "SELECT number, rtype, bytes FROM dictionary \
             WHERE number IN (SELECT MAX(number) FROM dictionary GROUP BY rtype)",
            &[],
        );
        let rows: Vec<(i16, i16, Vec<u8>)> = on!(link, connection => select.load(*connection))?;
        for (number, rtype, bytes) in rows {
            dictionaries.add(number, rtype, &bytes);
        }
        Ok(dictionaries)
    }

    /// Packs the tail of a resource of this type.
    pub(super) fn pack(self: &Arc<Self>, resource_type: ResourceType, tail: &[u8]) -> Packed {
        let packed = self.packed(resource_type, tail);
        let Some(of_type) = self.of_type(resource_type.code()) else { return packed };
        let count = of_type.packed.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if count == of_type.next_training.load(Ordering::Relaxed) {
            of_type.next_training.store(count.saturating_mul(GROWTH), Ordering::Relaxed);
            self.train_later(resource_type);
        }
        packed
    }

    /// The same, of a tail that does not count towards the next training.
    pub(super) fn packed(&self, resource_type: ResourceType, tail: &[u8]) -> Packed {
        let newest = self.of_type(resource_type.code()).and_then(|of_type| {
            let newest = of_type.newest.read().unwrap_or_else(PoisonError::into_inner);
            newest.clone()
        });
        Packed::new(tail, newest.as_deref())
    }

    /// The dictionary with this number, if it was met before.
    pub(super) fn get(&self, number: i16) -> Option<Arc<Dictionary>> {
        self.by_number.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// The dictionary that a tail with this `codec` needs, out of the database if it has to be; `None` when it needs none.
    pub(super) fn needed(&self, codec: i16, link: &mut Link<'_>) -> Result<Option<Arc<Dictionary>>, StoreError> {
        if codec < FIRST_DICTIONARY {
            return Ok(None);
        }
        if let Some(known) = self.get(codec) {
            return Ok(Some(known));
        }
        // Another process has trained it.
        let values = [Value::Integer(i64::from(codec))];
        let select = fixed!((SmallInt, Binary), "SELECT rtype, bytes FROM dictionary WHERE number = ?", &values);
        let rows: Vec<(i16, Vec<u8>)> = on!(*link, connection => select.load(*connection))?;
        Ok(rows.first().map(|(rtype, bytes)| self.add(codec, *rtype, bytes)))
    }

    /// Makes all dictionaries of the database known.
    pub(super) fn meet_all(&self, link: &mut Link<'_>) -> Result<(), StoreError> {
        let select = fixed!(SmallInt, "SELECT number FROM dictionary", &[]);
        let numbers: Vec<i16> = on!(*link, connection => select.load(*connection))?;
        numbers.into_iter().try_for_each(|number| self.needed(number, link).map(drop))
    }

    /// Makes a dictionary known. It is taken for packing if it is the newest of type `rtype`.
    fn add(&self, number: i16, rtype: i16, bytes: &[u8]) -> Arc<Dictionary> {
        let dictionary = Arc::new(Dictionary::new(number, bytes));
        let mut by_number = self.by_number.write().unwrap_or_else(PoisonError::into_inner);
        let dictionary = Arc::clone(by_number.entry(number).or_insert(dictionary));
        if let Some(of_type) = self.of_type(rtype) {
            let mut newest = of_type.newest.write().unwrap_or_else(PoisonError::into_inner);
            if newest.as_ref().is_none_or(|newest| newest.number < number) {
                *newest = Some(Arc::clone(&dictionary));
            }
        }
        dictionary
    }

    fn of_type(&self, rtype: i16) -> Option<&OfType> {
        self.types.get(usize::try_from(rtype).ok()?.checked_sub(1)?)
    }

    /// Trains on a thread, unless another type is just trained: then this one's turn comes later.
    fn train_later(self: &Arc<Self>, resource_type: ResourceType) {
        let mut training = self.training.lock().unwrap_or_else(PoisonError::into_inner);
        if training.as_ref().is_some_and(|training| !training.is_finished()) {
            if let Some(of_type) = self.of_type(resource_type.code()) {
                let later = of_type.packed.load(Ordering::Relaxed).saturating_add(FIRST_TRAINING);
                of_type.next_training.store(later, Ordering::Relaxed);
            }
            return;
        }
        let own = Arc::clone(self);
        let started = std::thread::Builder::new().name("dictionary".to_owned()).spawn(move || {
            match own.train(resource_type) {
                Ok(Some(number)) => tracing::info!(%resource_type, number, "A dictionary packs this type from now on"),
                Ok(None) => tracing::debug!(%resource_type, "No better dictionary for this type"),
                // Without one all works the same, and takes more room.
                Err(error) => tracing::warn!(%resource_type, %error, "No dictionary could be trained"),
            }
        });
        match started {
            Ok(thread) => *training = Some(thread),
            Err(error) => tracing::warn!(%resource_type, %error, "No dictionary could be trained"),
        }
    }

    /// Waits for a training that is under way.
    pub(super) fn finish(&self) {
        let training = self.training.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(training) = training
            && training.join().is_err()
        {
            tracing::error!("the training of a dictionary panicked");
        }
    }

    /// Trains a dictionary for a type and stores it; `None` when the one that stands is good enough, or none would help.
    fn train(&self, resource_type: ResourceType) -> Result<Option<i16>, StoreError> {
        if let Some(path) = self.address.strip_prefix("sqlite:") {
            let mut connection = sqlite::open_writer(path)?;
            self.train_with(resource_type, Link::Sqlite(&mut connection), "BEGIN IMMEDIATE")
        } else {
            let mut connection = PgConnection::establish(&self.address)?;
            let alone = "BEGIN; LOCK TABLE dictionary IN EXCLUSIVE MODE";
            self.train_with(resource_type, Link::Postgres(&mut connection), alone)
        }
    }

    /// `alone` begins a transaction beside which nobody else adds a dictionary.
    fn train_with(
        &self,
        resource_type: ResourceType,
        mut link: Link<'_>,
        alone: &str,
    ) -> Result<Option<i16>, StoreError> {
        let rtype = i64::from(resource_type.code());
        // Before the work, which takes half a second: after a restart the dictionary that stands is mostly good enough.
        let (count, trained_on) = standing(&mut link, rtype)?;
        if !is_due(count, trained_on) {
            return Ok(None);
        }
        let samples = self.samples(&mut link, rtype)?;
        let Some(bytes) = trained(&samples) else { return Ok(None) };
        on!(link, connection => connection.batch_execute(alone))?;
        // Another process may have trained one meanwhile.
        let (_, trained_on) = standing(&mut link, rtype)?;
        if !is_due(count, trained_on) {
            on!(link, connection => connection.batch_execute("ROLLBACK"))?;
            return Ok(None);
        }
        let select = fixed!(BigInt, "SELECT CAST(COALESCE(MAX(number), 1) + 1 AS BIGINT) FROM dictionary", &[]);
        let number: i64 = on!(link, connection => select.get_result(*connection))?;
        let values = [Value::Integer(number), Value::Integer(rtype), Value::Integer(count), Value::Bytes(Some(&bytes))];
        let insert = fixed!(
            (),
            "INSERT INTO dictionary (number, rtype, trained_on, bytes) \
             VALUES (CAST(? AS SMALLINT), CAST(? AS SMALLINT), ?, ?)",
            &values,
        );
        on!(link, connection => insert.execute(*connection))?;
        on!(link, connection => connection.batch_execute("COMMIT"))?;
        let number = i16::try_from(number).map_err(|_| StoreError::Damaged("too many dictionaries".to_owned()))?;
        self.add(number, resource_type.code(), &bytes);
        Ok(Some(number))
    }

    /// Tails of the newest resources of a type.
    fn samples(&self, link: &mut Link<'_>, rtype: i64) -> Result<Vec<Vec<u8>>, StoreError> {
        let values = [Value::Integer(rtype), Value::Integer(MOST_SAMPLES)];
        let select = fixed!(
            (SmallInt, Nullable<Binary>),
            "SELECT codec, tail FROM resource WHERE rtype = ? AND method <> 2 ORDER BY rid DESC LIMIT ?",
            &values,
        );
        let rows: Vec<(i16, Option<Vec<u8>>)> = on!(*link, connection => select.load(*connection))?;
        let mut samples = Vec::with_capacity(rows.len());
        for (packing, bytes) in rows {
            let Some(bytes) = bytes else { continue };
            let dictionary = self.needed(packing, link)?;
            let mut tail = codec::unpack(packing, bytes, dictionary.as_deref())?;
            tail.truncate(LARGEST_SAMPLE);
            samples.push(tail);
        }
        Ok(samples)
    }
}

/// Whether there are enough resources for another dictionary than the one that was trained on `trained_on` of them.
fn is_due(count: i64, trained_on: i64) -> bool {
    count >= trained_on.saturating_mul(i64::from(GROWTH))
}

/// How many resources of a type there are, and how many there were for its newest dictionary; 0 without one.
fn standing(link: &mut Link<'_>, rtype: i64) -> Result<(i64, i64), StoreError> {
    let values = [Value::Integer(rtype), Value::Integer(rtype)];
    let select = fixed!(
        (BigInt, BigInt),
        "SELECT CAST(COALESCE((SELECT SUM(current) FROM type_count WHERE rtype = ?), 0) AS BIGINT), \
         CAST(COALESCE((SELECT MAX(trained_on) FROM dictionary WHERE rtype = ?), 0) AS BIGINT)",
        &values,
    );
    Ok(on!(*link, connection => select.get_result(*connection))?)
}

/// A dictionary made of the samples; `None` when there is none, or it does not help.
fn trained(samples: &[Vec<u8>]) -> Option<Vec<u8>> {
    let bytes = zstd::dict::from_samples(samples, DICTIONARY_BYTES).ok()?;
    let dictionary = Dictionary::new(FIRST_DICTIONARY, &bytes);
    let size = |dictionary: Option<&Dictionary>| -> usize {
        samples.iter().map(|sample| Packed::new(sample, dictionary).bytes.len()).sum()
    };
    let (with, without) = (size(Some(&dictionary)), size(None));
    ((with as f64) < WORTH_IT * without as f64).then_some(bytes)
}
