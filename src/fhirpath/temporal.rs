//! Dates, dateTimes and times with the precision that they were written in.
//!
//! Spec: FHIRPath N1 #date, #datetime-arithmetic, #comparison

use std::cmp::Ordering;
use std::fmt::{self, Write};

use chrono::{Datelike, Months, NaiveDate};

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const DAY_US: i64 = 24 * HOUR_US;
/// How far a place may be from UTC, west and east.
const WIDEST_OFFSET_US: i64 = 14 * HOUR_US;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TemporalKind {
    Date,
    DateTime,
    Time,
}

/// The smallest part that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A unit of calendar arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CalendarUnit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Temporal {
    pub(super) kind: TemporalKind,
    pub(super) precision: Part,
    /// Digits of the fraction of the second.
    pub(super) fraction: u8,
    /// Minutes east of UTC.
    pub(super) offset: Option<i16>,
    /// First moment meant, in local microseconds since 1970, or since midnight for a time.
    local_us: i64,
}

/// Reads digits of fixed width from the front of a text.
struct Reader<'t>(&'t [u8]);

impl Reader<'_> {
    fn digits(&mut self, width: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(width)?;
        let mut value = 0;
        for digit in digits {
            value = value * 10 + u32::from(digit.is_ascii_digit().then_some(digit - b'0')?);
        }
        self.0 = rest;
        Some(value)
    }

    fn skip(&mut self, sign: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == sign => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn date(&mut self) -> Option<(NaiveDate, Part)> {
        let year = i32::try_from(self.digits(4)?).ok()?;
        let (mut month, mut day, mut part) = (1, 1, Part::Year);
        if self.skip(b'-') {
            (month, part) = (self.digits(2)?, Part::Month);
            if self.skip(b'-') {
                (day, part) = (self.digits(2)?, Part::Day);
            }
        }
        Some((NaiveDate::from_ymd_opt(year, month, day)?, part))
    }

    /// Microseconds since midnight, precision and digits of the fraction.
    fn time(&mut self) -> Option<(i64, Part, u8)> {
        let hour = self.digits(2).filter(|hour| *hour < 24)?;
        let (mut minute, mut second, mut part, mut fraction, mut micros) = (0, 0, Part::Hour, 0u8, 0i64);
        if self.skip(b':') {
            (minute, part) = (self.digits(2).filter(|minute| *minute < 60)?, Part::Minute);
            if self.skip(b':') {
                // 60 is a leap second.
                (second, part) = (self.digits(2).filter(|second| *second <= 60)?, Part::Second);
                if self.skip(b'.') {
                    let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    let (digits, rest) = self.0.split_at(length);
                    fraction = u8::try_from(length).ok().filter(|length| *length > 0)?;
                    for place in 0..6 {
                        micros = micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
                    }
                    self.0 = rest;
                }
            }
        }
        let whole = i64::from(hour) * HOUR_US + i64::from(minute) * MINUTE_US + i64::from(second) * 1_000_000;
        Some((whole + micros, part, fraction.min(6)))
    }

    fn zone(&mut self) -> Option<Option<i16>> {
        if self.0.is_empty() {
            return Some(None);
        }
        if self.skip(b'Z') {
            return Some(Some(0));
        }
        let sign = if self.skip(b'-') { -1 } else { self.skip(b'+').then_some(1)? };
        let hours = self.digits(2).filter(|hours| *hours <= 14)?;
        let minutes = self.skip(b':').then(|| self.digits(2))?.filter(|minutes| *minutes < 60)?;
        Some(Some(sign * i16::try_from(hours * 60 + minutes).ok()?))
    }
}

fn day_us(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce() - UNIX_EPOCH_DAYS) * DAY_US
}

/// Days from 0001-01-01 (day 1) to 1970-01-01.
const UNIX_EPOCH_DAYS: i32 = 719_163;

impl Temporal {
    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub(super) fn parse_date(text: &str) -> Option<Temporal> {
        let mut reader = Reader(text.as_bytes());
        let (date, precision) = reader.date()?;
        reader.0.is_empty().then_some(Temporal {
            kind: TemporalKind::Date,
            precision,
            fraction: 0,
            offset: None,
            local_us: day_us(date),
        })
    }

    /// Reads a date with or without `T`, time and zone.
    pub(super) fn parse_date_time(text: &str) -> Option<Temporal> {
        let mut reader = Reader(text.as_bytes());
        let (date, mut precision) = reader.date()?;
        let (mut micros, mut fraction, mut offset) = (0, 0, None);
        if reader.skip(b'T') && !reader.0.is_empty() {
            if precision != Part::Day {
                return None;
            }
            (micros, precision, fraction) = reader.time()?;
            offset = reader.zone()?;
        }
        reader.0.is_empty().then_some(Temporal {
            kind: TemporalKind::DateTime,
            precision,
            fraction,
            offset,
            local_us: day_us(date) + micros,
        })
    }

    /// Reads `hh`, `hh:mm` or `hh:mm:ss` with or without a fraction.
    pub(super) fn parse_time(text: &str) -> Option<Temporal> {
        let mut reader = Reader(text.as_bytes());
        let (local_us, precision, fraction) = reader.time()?;
        reader.0.is_empty().then_some(Temporal {
            kind: TemporalKind::Time,
            precision,
            fraction,
            offset: None,
            local_us,
        })
    }

    /// The instant `now_us` (microseconds since 1970 UTC) to the millisecond.
    pub(super) fn instant(now_us: i64) -> Temporal {
        let local_us = now_us - now_us.rem_euclid(1000);
        Temporal { kind: TemporalKind::DateTime, precision: Part::Second, fraction: 3, offset: Some(0), local_us }
    }

    /// The day of a dateTime, where it was written.
    pub(super) fn date(self) -> Temporal {
        let local_us = self.local_us - self.local_us.rem_euclid(DAY_US);
        let precision = self.precision.min(Part::Day);
        Temporal { kind: TemporalKind::Date, precision, fraction: 0, offset: None, local_us }
    }

    /// The time of day of a dateTime; `None` when it has none.
    pub(super) fn time(self) -> Option<Temporal> {
        let local_us = self.local_us.rem_euclid(DAY_US);
        (self.precision >= Part::Hour).then_some(Temporal { kind: TemporalKind::Time, offset: None, local_us, ..self })
    }

    /// A date as the dateTime of the same precision.
    pub(super) fn date_time(self) -> Temporal {
        Temporal { kind: TemporalKind::DateTime, ..self }
    }

    fn day(self) -> Option<NaiveDate> {
        let days = i32::try_from(self.local_us.div_euclid(DAY_US)).ok()?;
        NaiveDate::from_num_days_from_ce_opt(days + UNIX_EPOCH_DAYS)
    }

    /// The moments that this may mean, first and one past the last, as if it were UTC.
    fn span(self) -> (i64, i64) {
        let end = match self.precision {
            Part::Year => self.day().and_then(|day| day.checked_add_months(Months::new(12))).map(day_us),
            Part::Month => self.day().and_then(|day| day.checked_add_months(Months::new(1))).map(day_us),
            Part::Day => Some(self.local_us + DAY_US),
            Part::Hour => Some(self.local_us + HOUR_US),
            Part::Minute => Some(self.local_us + MINUTE_US),
            // Seconds and their fractions are one precision: 10:30:00 equals 10:30:00.0
            Part::Second => Some(self.local_us + 1),
        };
        (self.local_us, end.unwrap_or(i64::MAX))
    }

    /// How the two stand to each other; `None` when their precision or a missing zone leaves that open.
    pub(super) fn compare(self, other: Temporal) -> Option<Ordering> {
        let (mut left, mut right) = (self.span(), other.span());
        match (self.offset, other.offset) {
            (Some(east), Some(other_east)) => {
                left = shifted(left, east);
                right = shifted(right, other_east);
            }
            (Some(east), None) => (left, right) = (shifted(left, east), widened(right)),
            (None, Some(east)) => (left, right) = (widened(left), shifted(right, east)),
            (None, None) => (),
        }
        if left.1 <= right.0 {
            Some(Ordering::Less)
        } else if right.1 <= left.0 {
            Some(Ordering::Greater)
        } else {
            let is_certain = self.offset.is_some() == other.offset.is_some();
            (is_certain && left == right && self.precision == other.precision).then_some(Ordering::Equal)
        }
    }

    /// Adds whole `amount`s of `unit`; what is smaller than the precision is cut off. `None` beyond the calendar.
    pub(super) fn plus(self, amount: i64, unit: CalendarUnit) -> Option<Temporal> {
        let (months, micros) = match unit {
            CalendarUnit::Year => (amount.checked_mul(12)?, 0),
            CalendarUnit::Month => (amount, 0),
            CalendarUnit::Week => (0, amount.checked_mul(7 * DAY_US)?),
            CalendarUnit::Day => (0, amount.checked_mul(DAY_US)?),
            CalendarUnit::Hour => (0, amount.checked_mul(HOUR_US)?),
            CalendarUnit::Minute => (0, amount.checked_mul(MINUTE_US)?),
            CalendarUnit::Second => (0, amount.checked_mul(1_000_000)?),
            CalendarUnit::Millisecond => (0, amount.checked_mul(1000)?),
        };
        if self.kind == TemporalKind::Time {
            let moved = self.local_us.checked_add(micros)?.rem_euclid(DAY_US);
            return (months == 0).then_some(Temporal { local_us: moved, ..self });
        }
        let months = match self.precision {
            Part::Year => (months + micros / (365 * DAY_US) * 12) / 12 * 12,
            Part::Month => months + micros / (30 * DAY_US),
            _ => months,
        };
        let micros = match self.precision {
            Part::Year | Part::Month => 0,
            Part::Day => micros / DAY_US * DAY_US,
            Part::Hour => micros / HOUR_US * HOUR_US,
            Part::Minute => micros / MINUTE_US * MINUTE_US,
            Part::Second => micros,
        };
        let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        let day = self.day()?;
        let day = if months < 0 { day.checked_sub_months(count)? } else { day.checked_add_months(count)? };
        let local_us = (day_us(day) + self.local_us.rem_euclid(DAY_US)).checked_add(micros)?;
        let moved = Temporal { local_us, ..self };
        moved.day().filter(|day| (1..=9999).contains(&day.year())).map(|_| moved)
    }

    /// The earliest (or latest) moment that this may mean, written to `digits` digits: 4 a year, 6 a month, 8 a day,
    /// 10 an hour, 12 a minute, 14 a second, 17 a millisecond (2 to 9 for a time). `None` for other counts.
    pub(super) fn boundary(self, digits: i64, is_low: bool) -> Option<Temporal> {
        let counted = if self.kind == TemporalKind::Time { digits + 8 } else { digits };
        let (precision, fraction) = match counted {
            4 => (Part::Year, 0),
            6 => (Part::Month, 0),
            8 => (Part::Day, 0),
            10 => (Part::Hour, 0),
            12 => (Part::Minute, 0),
            14 => (Part::Second, 0),
            17 => (Part::Second, 3),
            _ => return None,
        };
        let (first, end) = match self.precision {
            Part::Second if self.fraction == 0 => (self.local_us, self.local_us + 1_000_000),
            _ => self.span(),
        };
        let moment = if is_low { first } else { end - 1 };
        let offset = match self.kind {
            TemporalKind::DateTime if precision >= Part::Hour => {
                self.offset.or(Some(if is_low { 14 * 60 } else { -12 * 60 }))
            }
            _ => None,
        };
        let kind = self.kind;
        if kind == TemporalKind::Date && precision > Part::Day {
            return None;
        }
        Some(Temporal { kind, precision, fraction, offset, local_us: moment }.cut())
    }

    /// How many digits were written.
    pub(super) fn digits(self) -> i64 {
        let whole = match self.precision {
            Part::Year => 4,
            Part::Month => 6,
            Part::Day => 8,
            Part::Hour => 10,
            Part::Minute => 12,
            Part::Second => 14 + i64::from(self.fraction),
        };
        if self.kind == TemporalKind::Time { whole - 8 } else { whole }
    }

    /// Sets what is smaller than the precision to its start, so that equal texts are equal values.
    fn cut(self) -> Temporal {
        let step = match self.precision {
            Part::Year | Part::Month => {
                let first = self.day().and_then(|day| day.with_day(1));
                let first = if self.precision == Part::Year { first.and_then(|day| day.with_month(1)) } else { first };
                return Temporal { local_us: first.map_or(self.local_us, day_us), ..self };
            }
            Part::Day => DAY_US,
            Part::Hour => HOUR_US,
            Part::Minute => MINUTE_US,
            Part::Second => 10i64.pow(u32::from(6 - self.fraction.min(6))),
        };
        Temporal { local_us: self.local_us - self.local_us.rem_euclid(step), ..self }
    }
}

fn shifted(span: (i64, i64), east_minutes: i16) -> (i64, i64) {
    let east_us = i64::from(east_minutes) * MINUTE_US;
    (span.0.saturating_sub(east_us), span.1.saturating_sub(east_us))
}

fn widened(span: (i64, i64)) -> (i64, i64) {
    (span.0.saturating_sub(WIDEST_OFFSET_US), span.1.saturating_add(WIDEST_OFFSET_US))
}

impl fmt::Display for Temporal {
    /// As FHIR writes it, without `@` and `T` at the front.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind != TemporalKind::Time {
            let day = self.day().ok_or(fmt::Error)?;
            write!(formatter, "{:04}", day.year())?;
            if self.precision >= Part::Month {
                write!(formatter, "-{:02}", day.month())?;
            }
            if self.precision >= Part::Day {
                write!(formatter, "-{:02}", day.day())?;
            }
            if self.precision < Part::Hour {
                return Ok(());
            }
            formatter.write_char('T')?;
        }
        let micros = self.local_us.rem_euclid(DAY_US);
        write!(formatter, "{:02}", micros / HOUR_US)?;
        if self.precision >= Part::Minute {
            write!(formatter, ":{:02}", micros / MINUTE_US % 60)?;
        }
        if self.precision >= Part::Second {
            write!(formatter, ":{:02}", micros / 1_000_000 % 60)?;
            if self.fraction > 0 {
                let digits = format!("{:06}", micros % 1_000_000);
                write!(formatter, ".{}", &digits[..usize::from(self.fraction.min(6))])?;
            }
        }
        match self.offset {
            None => Ok(()),
            Some(0) => formatter.write_char('Z'),
            Some(east) => {
                let sign = if east < 0 { '-' } else { '+' };
                write!(formatter, "{sign}{:02}:{:02}", east.abs() / 60, east.abs() % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporal(text: &str) -> Temporal {
        let parsed = match text.strip_prefix('T') {
            Some(time) => Temporal::parse_time(time),
            None if text.contains('T') => Temporal::parse_date_time(text),
            None => Temporal::parse_date(text),
        };
        parsed.unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn what_is_read_is_written_again() {
        let texts =
            ["2015", "2015-02", "1900-02-28", "2015-02-04T14", "2015-02-04T14:34:28.123+10:00", "0001-01-01T00:00Z"];
        for text in texts {
            assert_eq!(temporal(text).to_string(), text);
        }
        assert_eq!(temporal("T14:34:28.5").to_string(), "14:34:28.5");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in
            ["", "20", "2015-2", "2015-02-30", "2015-02-04T25", "2015T10:00", "2015-02-04T10:00+25:00", "2015-02-04Z"]
        {
            assert!(Temporal::parse_date_time(text).is_none(), "{text}");
        }
        assert!(Temporal::parse_date("2015-02-04T10:00").is_none());
        assert!(Temporal::parse_time("10:00Z").is_none());
    }

    #[test]
    fn comparison_is_open_where_precision_is_missing() {
        let cases = [
            ("2018-03", "2018-03-01", None),
            ("2018-03", "2018-04-01", Some(Ordering::Less)),
            ("2018-03-01T10:30", "2018-03-01T10:30:00", None),
            ("2018-03-01T10:30:00", "2018-03-01T10:30:00.0", Some(Ordering::Equal)),
            ("2012-04-15T15:00:00Z", "2012-04-15T10:00:00", None),
            ("2012-04-15T15:00:00Z", "2012-04-17T10:00:00", Some(Ordering::Less)),
            ("2012-04-15T15:00:00+02:00", "2012-04-15T16:00:00+03:00", Some(Ordering::Equal)),
            ("T10:30", "T10:30:00", None),
            ("T12:00:00", "T14:00", Some(Ordering::Less)),
        ];

        for (left, right, expected) in cases {
            assert_eq!(temporal(left).compare(temporal(right)), expected, "{left} and {right}");
            assert_eq!(temporal(right).compare(temporal(left)), expected.map(Ordering::reverse), "{right} and {left}");
        }
    }

    #[test]
    fn calendar_arithmetic_keeps_the_precision() {
        let cases = [
            ("1973-12-25", 7, CalendarUnit::Day, "1974-01-01"),
            ("2024-02-29", 1, CalendarUnit::Year, "2025-02-28"),
            ("2024-01-31", 1, CalendarUnit::Month, "2024-02-29"),
            ("2014", 24, CalendarUnit::Month, "2016"),
            ("2014", 11, CalendarUnit::Month, "2014"),
            ("2014-05-05", 25, CalendarUnit::Hour, "2014-05-06"),
            ("1973-12-25T00:00:00.000+10:00", 10, CalendarUnit::Millisecond, "1973-12-25T00:00:00.010+10:00"),
            ("T23:00", 2, CalendarUnit::Hour, "T01:00"),
        ];

        for (from, amount, unit, expected) in cases {
            assert_eq!(temporal(from).plus(amount, unit), Some(temporal(expected)), "{from} + {amount} {unit:?}");
        }
        assert_eq!(temporal("9999-12-31").plus(1, CalendarUnit::Day), None);
        assert_eq!(temporal("2014").plus(i64::MAX, CalendarUnit::Year), None);
        assert_eq!(temporal("2014").plus(i64::MIN, CalendarUnit::Month), None);
    }
}
