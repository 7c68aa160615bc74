//! Dates and times with the precision that they were written in.
//!
//! Spec: R4 datatypes.html#date, #dateTime, #instant, #time; search.html#date

use thiserror::Error;

/// A span of time, `lo_us` included and `hi_us` excluded, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub lo_us: i64,
    pub hi_us: i64,
}

/// How precisely a date was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    Year,
    Month,
    Day,
    Minute,
    Second,
    /// Number of fractional digits of the second, as written.
    Fraction(u8),
}

/// A date, dateTime or instant as written, which may lack parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialDate {
    pub precision: Precision,
    /// Minutes east of UTC; `None` when the text has no zone.
    pub offset_minutes: Option<i16>,
    /// First moment that the text may mean, as if its zone were UTC.
    local_us: i64,
    /// Length of the span that the text may mean, in microseconds.
    span_us: i64,
}

/// Why a text is no date.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DateError {
    #[error("a date is written YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone")]
    Form,
    #[error("there is no such day in the calendar")]
    NoSuchDay,
    #[error("a time with hours needs a zone: Z or +hh:mm")]
    NoZone,
}

impl PartialDate {
    /// Parses a date, dateTime or instant as a resource may hold it (seconds required once hours are given).
    pub fn parse(text: &str) -> Result<PartialDate, DateError> {
        let _ = text;
        todo!()
    }

    /// Parses what a search may hold: as `parse`, but minutes may stand without seconds and the zone may be missing.
    pub fn parse_search(text: &str) -> Result<PartialDate, DateError> {
        let _ = text;
        todo!()
    }

    /// The span of time that the text means; `zone_minutes` (east of UTC) applies where the text names no zone.
    pub fn interval(&self, zone_minutes: i16) -> Interval {
        let _ = (zone_minutes, self.local_us, self.span_us);
        todo!()
    }
}

/// Writes an instant as `YYYY-MM-DDThh:mm:ss.sssZ`.
pub fn format_instant(us: i64, out: &mut Vec<u8>) {
    let _ = (us, out);
    todo!()
}
