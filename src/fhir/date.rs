//! Dates and times with the precision that they were written in.
//!
//! Spec: R4 datatypes.html#date, #dateTime, #instant, #time; search.html#date

use thiserror::Error;

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
const DAY_US: i64 = 24 * 60 * MINUTE_US;

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
    /// Number of fractional digits of the second, as written; 255 stands for that many or more.
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
    #[error("there is no such time: hours end at 23, minutes at 59, seconds at 60, zones at 14:00")]
    NoSuchTime,
    #[error("a time with hours needs a zone: Z or +hh:mm")]
    NoZone,
}

impl PartialDate {
    /// Parses a date, dateTime or instant as a resource may hold it (seconds required once hours are given).
    ///
    /// The second `:60` of a leap second is taken as the first second of the next minute, because the time scale of
    /// [`Interval`] has no place for it.
    pub fn parse(text: &str) -> Result<PartialDate, DateError> {
        let date = read(text, Zone::Strict)?;
        match date.precision {
            Precision::Minute => Err(DateError::Form),
            Precision::Second | Precision::Fraction(_) if date.offset_minutes.is_none() => Err(DateError::NoZone),
            _ => Ok(date),
        }
    }

    /// Parses what a search may hold: as `parse`, but minutes may stand without seconds and the zone may be missing.
    ///
    /// A space before the zone is taken for the `+` that the client forgot to encode.
    pub fn parse_search(text: &str) -> Result<PartialDate, DateError> {
        read(text, Zone::Search)
    }

    /// The span of time that the text means; `zone_minutes` (east of UTC) applies where the text names no zone.
    pub fn interval(&self, zone_minutes: i16) -> Interval {
        let zone_us = i64::from(self.offset_minutes.unwrap_or(zone_minutes)) * MINUTE_US;
        let lo_us = self.local_us - zone_us;
        Interval { lo_us, hi_us: lo_us + self.span_us }
    }

    /// Whether the text is a `date`: no time of day.
    pub fn is_date_form(&self) -> bool {
        self.precision <= Precision::Day
    }

    /// Whether the text is an `instant`: at least to the second, and with a zone.
    pub fn is_instant_form(&self) -> bool {
        self.precision >= Precision::Second && self.offset_minutes.is_some()
    }
}

/// Whether `text` is a FHIR `time`: hh:mm:ss, fractions allowed, no zone.
///
/// Spec: R4 datatypes.html#time
pub fn is_time(text: &str) -> bool {
    let mut cursor = Cursor { rest: text.as_bytes() };
    let time = cursor.time();
    cursor.rest.is_empty() && matches!(time, Ok((_, precision)) if precision >= Precision::Second)
}

/// How strictly the zone is read.
#[derive(Clone, Copy, PartialEq)]
enum Zone {
    Strict,
    Search,
}

fn read(text: &str, zone: Zone) -> Result<PartialDate, DateError> {
    let mut cursor = Cursor { rest: text.as_bytes() };
    let year = i64::from(cursor.digits(4)?);
    let mut month = None;
    let mut day = None;
    if cursor.took(b'-') {
        month = Some(cursor.digits(2)?);
        if cursor.took(b'-') {
            day = Some(cursor.digits(2)?);
        }
    }
    let first_month = month.unwrap_or(1);
    let in_calendar = year >= 1
        && (1..=12).contains(&first_month)
        && day.is_none_or(|day| (1..=days_in_month(year, first_month)).contains(&day));
    if !in_calendar {
        return Err(DateError::NoSuchDay);
    }

    let days = days_before(year, first_month) + i64::from(day.unwrap_or(1)) - 1;
    let mut date = PartialDate {
        precision: Precision::Day,
        offset_minutes: None,
        local_us: (days - DAYS_BEFORE_1970) * DAY_US,
        span_us: DAY_US,
    };
    if month.is_none() {
        date.precision = Precision::Year;
        date.span_us = (365 + i64::from(is_leap(year))) * DAY_US;
    } else if day.is_none() {
        date.precision = Precision::Month;
        date.span_us = i64::from(days_in_month(year, first_month)) * DAY_US;
    } else if cursor.took(b'T') {
        let (time_us, precision) = cursor.time()?;
        date.local_us += time_us;
        date.precision = precision;
        date.span_us = match precision {
            Precision::Minute => MINUTE_US,
            // Beyond microseconds a moment is as short as the time scale allows.
            Precision::Fraction(places) => 10_i64.pow(6_u32.saturating_sub(u32::from(places))),
            _ => SECOND_US,
        };
        date.offset_minutes = cursor.zone(zone)?;
    }
    if cursor.rest.is_empty() { Ok(date) } else { Err(DateError::Form) }
}

/// What is left to read of a text.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn took(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Reads exactly `count` digits, at most four.
    fn digits(&mut self, count: usize) -> Result<u32, DateError> {
        let (digits, rest) = self.rest.split_at_checked(count).ok_or(DateError::Form)?;
        let mut number = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return Err(DateError::Form);
            }
            number = number * 10 + u32::from(digit - b'0');
        }
        self.rest = rest;
        Ok(number)
    }

    /// Reads hh:mm, hh:mm:ss or hh:mm:ss.f and answers the microseconds since midnight.
    fn time(&mut self) -> Result<(i64, Precision), DateError> {
        let hours = self.digits(2)?;
        if !self.took(b':') {
            return Err(DateError::Form);
        }
        let minutes = self.digits(2)?;
        let mut seconds = 0;
        let mut fraction_us = 0;
        let mut precision = Precision::Minute;
        if self.took(b':') {
            seconds = self.digits(2)?;
            precision = Precision::Second;
            if self.took(b'.') {
                let places = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                if places == 0 {
                    return Err(DateError::Form);
                }
                let mut unit_us = SECOND_US;
                for digit in &self.rest[..places.min(6)] {
                    unit_us /= 10;
                    fraction_us += i64::from(digit - b'0') * unit_us;
                }
                self.rest = &self.rest[places..];
                precision = Precision::Fraction(u8::try_from(places).unwrap_or(u8::MAX));
            }
        }
        if hours > 23 || minutes > 59 || seconds > 60 {
            return Err(DateError::NoSuchTime);
        }
        let seconds = i64::from(hours * 3600 + minutes * 60 + seconds);
        Ok((seconds * SECOND_US + fraction_us, precision))
    }

    /// Reads `Z` or an offset in minutes east of UTC; `None` at the end of the text.
    fn zone(&mut self, zone: Zone) -> Result<Option<i16>, DateError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        if self.took(b'Z') {
            return Ok(Some(0));
        }
        let sign = if self.took(b'-') {
            -1
        } else if self.took(b'+') || (zone == Zone::Search && self.took(b' ')) {
            1
        } else {
            return Err(DateError::Form);
        };
        let hours = self.digits(2)?;
        if !self.took(b':') {
            return Err(DateError::Form);
        }
        let minutes = self.digits(2)?;
        let offset = hours * 60 + minutes;
        if minutes > 59 || offset > 14 * 60 {
            return Err(DateError::NoSuchTime);
        }
        Ok(Some(sign * offset as i16))
    }
}

/// Days from 0001-01-01 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_162;
/// Days from 0001-01-01 to 10000-01-01.
const DAYS_BEFORE_10000: i64 = 3_652_059;

/// Days of a common year that lie before each month.
const MONTH_STARTS: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 => 28 + u32::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 0001-01-01 to the first of the month; year from 1, month 1 to 12.
fn days_before(year: i64, month: u32) -> i64 {
    let past = year - 1;
    let leap_day = month > 2 && is_leap(year);
    past * 365 + past / 4 - past / 100 + past / 400 + i64::from(MONTH_STARTS[month as usize - 1]) + i64::from(leap_day)
}

/// Year, month and day of the day that is `days` after 0001-01-01, `days` being neither negative nor beyond 9999.
fn calendar_day(days: i64) -> (u32, u32, u32) {
    const YEARS_4: i64 = 4 * 365 + 1;
    const YEARS_100: i64 = 25 * YEARS_4 - 1;
    const YEARS_400: i64 = 4 * YEARS_100 + 1;
    let (cycles, days) = (days / YEARS_400, days % YEARS_400);
    // The last day of a leap cycle must not begin a fifth century or a fifth year.
    let centuries = (days / YEARS_100).min(3);
    let days = days - centuries * YEARS_100;
    let (quads, days) = (days / YEARS_4, days % YEARS_4);
    let years = (days / 365).min(3);
    let day_of_year = (days - years * 365) as u32;

    let year = cycles * 400 + centuries * 100 + quads * 4 + years + 1;
    let leap = u32::from(is_leap(year));
    let start = |month: u32| MONTH_STARTS[month as usize - 1] + if month > 2 { leap } else { 0 };
    // No month has more than 31 days, so this guess is right or one too low.
    let mut month = day_of_year / 31 + 1;
    if month < 12 && day_of_year >= start(month + 1) {
        month += 1;
    }
    (year as u32, month, day_of_year - start(month) + 1)
}

/// Writes an instant as `YYYY-MM-DDThh:mm:ss.sssZ`, cut to milliseconds. What lies outside the years 1 to 9999 is
/// written as their first or last moment.
pub fn format_instant(us: i64, out: &mut Vec<u8>) {
    const FIRST_US: i64 = -DAYS_BEFORE_1970 * DAY_US;
    const LAST_US: i64 = (DAYS_BEFORE_10000 - DAYS_BEFORE_1970) * DAY_US - 1;
    let since_first_us = us.clamp(FIRST_US, LAST_US) - FIRST_US;
    let (year, month, day) = calendar_day(since_first_us / DAY_US);
    let ms = (since_first_us % DAY_US / 1000) as u32;

    let digit = |number: u32, unit: u32| b'0' + (number / unit % 10) as u8;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    text[0] = digit(year, 1000);
    text[1] = digit(year, 100);
    text[2] = digit(year, 10);
    text[3] = digit(year, 1);
    text[20] = digit(ms, 100);
    text[21] = digit(ms, 10);
    text[22] = digit(ms, 1);
    let pairs = [(5, month), (8, day), (11, ms / 3_600_000), (14, ms / 60_000 % 60), (17, ms / 1000 % 60)];
    for (place, number) in pairs {
        text[place] = digit(number, 10);
        text[place + 1] = digit(number, 1);
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat};

    use super::*;

    fn us(instant: &str) -> i64 {
        DateTime::parse_from_rfc3339(instant).unwrap().timestamp_micros()
    }

    fn formatted(us: i64) -> String {
        let mut out = Vec::new();
        format_instant(us, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_partial_date_means_the_whole_span_of_its_precision() {
        let cases = [
            ("2024", 0, "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", Precision::Year),
            ("2024-02", 0, "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", Precision::Month),
            ("2024-12", 60, "2024-11-30T23:00:00Z", "2024-12-31T23:00:00Z", Precision::Month),
            ("2024-02-29", 0, "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z", Precision::Day),
            ("2024-12-31", -300, "2024-12-31T05:00:00Z", "2025-01-01T05:00:00Z", Precision::Day),
            ("1969-12-31T23:59:59Z", 90, "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", Precision::Second),
            (
                "2015-02-07T13:28:17.2-05:00",
                0,
                "2015-02-07T18:28:17.2Z",
                "2015-02-07T18:28:17.3Z",
                Precision::Fraction(1),
            ),
            (
                "2015-02-07T13:28:17.239+02:00",
                0,
                "2015-02-07T11:28:17.239Z",
                "2015-02-07T11:28:17.240Z",
                Precision::Fraction(3),
            ),
            (
                "2015-02-07T13:28:17.123456789Z",
                0,
                "2015-02-07T13:28:17.123456Z",
                "2015-02-07T13:28:17.123457Z",
                Precision::Fraction(9),
            ),
            ("2016-12-31T23:59:60Z", 0, "2017-01-01T00:00:00Z", "2017-01-01T00:00:01Z", Precision::Second),
            ("2015-02-07T13:28:17+14:00", 0, "2015-02-06T23:28:17Z", "2015-02-06T23:28:18Z", Precision::Second),
            ("0001", 0, "0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z", Precision::Year),
            (
                "9999-12-31T23:59:59-14:00",
                0,
                "9999-12-31T23:59:59-14:00",
                "9999-12-31T23:59:59.999999-14:00",
                Precision::Second,
            ),
        ];
        for (text, zone, lo, hi, precision) in cases {
            let date = PartialDate::parse(text).unwrap();

            let span = date.interval(zone);

            let end_of_time = i64::from(text.starts_with("9999"));
            assert_eq!(span, Interval { lo_us: us(lo), hi_us: us(hi) + end_of_time }, "{text}");
            assert_eq!(date.precision, precision, "{text}");
            assert_eq!(PartialDate::parse_search(text).unwrap(), date, "{text}");
        }
    }

    #[test]
    fn a_search_may_leave_out_seconds_zone_and_the_encoding_of_plus() {
        let cases = [
            ("2015-02-07T13:28Z", Some(0), Precision::Minute, "2015-02-07T13:28:00Z"),
            ("2015-02-07T13:28", None, Precision::Minute, "2015-02-07T12:28:00Z"),
            ("2015-02-07T13:28:17", None, Precision::Second, "2015-02-07T12:28:17Z"),
            ("2015-02-07T13:28:17 02:00", Some(120), Precision::Second, "2015-02-07T11:28:17Z"),
            ("2015-02-07T13:28:17.5 02:00", Some(120), Precision::Fraction(1), "2015-02-07T11:28:17.5Z"),
        ];
        for (text, offset, precision, lo) in cases {
            let date = PartialDate::parse_search(text).unwrap();

            assert_eq!((date.offset_minutes, date.precision), (offset, precision), "{text}");
            assert_eq!(date.interval(60).lo_us, us(lo), "{text}");
            assert!(PartialDate::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_date_say_why() {
        use DateError::{Form, NoSuchDay, NoSuchTime, NoZone};
        let cases = [
            ("", Form),
            ("20", Form),
            ("20240101", Form),
            ("2024-1", Form),
            ("2024-01-1", Form),
            ("2024-", Form),
            ("2024-01-", Form),
            ("2024/01/01", Form),
            (" 2024", Form),
            ("2024 ", Form),
            ("２０２４", Form),
            ("+024", Form),
            ("2024-01-01T", Form),
            ("2024-01-01T10", Form),
            ("2024-01-01T10:00Z", Form),
            ("2024-01-01 10:00:00Z", Form),
            ("2024-01-01t10:00:00Z", Form),
            ("2024-01-01T10:00:00z", Form),
            ("2024-01-01T10:00:00.Z", Form),
            ("2024-01-01T10:00:00+0100", Form),
            ("2024-01-01T10:00:00+01", Form),
            ("2024-01-01T10:00:00 01:00", Form),
            ("2024-01-01Z", Form),
            ("2024-01-01T10:00:00Zx", Form),
            ("2024T10:00:00Z", Form),
            ("0000", NoSuchDay),
            ("2024-00", NoSuchDay),
            ("2024-13", NoSuchDay),
            ("2024-01-00", NoSuchDay),
            ("2023-02-29", NoSuchDay),
            ("1900-02-29", NoSuchDay),
            ("2024-04-31", NoSuchDay),
            ("2024-01-32", NoSuchDay),
            ("2024-01-01T24:00:00Z", NoSuchTime),
            ("2024-01-01T10:60:00Z", NoSuchTime),
            ("2024-01-01T10:00:61Z", NoSuchTime),
            ("2024-01-01T10:00:00+14:01", NoSuchTime),
            ("2024-01-01T10:00:00-99:00", NoSuchTime),
            ("2024-01-01T10:00:00+01:60", NoSuchTime),
            ("2024-01-01T10:00:00", NoZone),
            ("2024-01-01T10:00:00.123", NoZone),
        ];
        for (text, error) in cases {
            assert_eq!(PartialDate::parse(text), Err(error), "{text:?}");
        }
        assert!(PartialDate::parse("2000-02-29").is_ok());
    }

    #[test]
    fn the_three_types_are_told_apart() {
        let forms = |text: &str| {
            let date = PartialDate::parse(text).unwrap();
            (date.is_date_form(), date.is_instant_form())
        };

        assert_eq!(forms("2024-01"), (true, false));
        assert_eq!(forms("2024-01-01"), (true, false));
        assert_eq!(forms("2024-01-01T00:00:00Z"), (false, true));
        assert_eq!(forms("2024-01-01T00:00:00.000Z"), (false, true));
    }

    #[test]
    fn a_time_has_seconds_and_no_zone() {
        for text in ["00:00:00", "23:59:59", "23:59:60", "12:30:00.000", "12:30:00.123456789012"] {
            assert!(is_time(text), "{text}");
        }
        for text in ["", "12:30", "24:00:00", "12:60:00", "12:30:61", "12:30:00.", "12:30:00Z", "1:30:00", "12:30:00 "]
        {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn every_day_agrees_with_the_calendar() {
        let mut day = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
        for days in 0..DAYS_BEFORE_10000 {
            let (year, month, of_month) = (day.year() as u32, day.month(), day.day());

            assert_eq!(calendar_day(days), (year, month, of_month));
            assert_eq!(days_before(i64::from(year), month) + i64::from(of_month) - 1, days);
            day = day.succ_opt().unwrap();
        }
        assert_eq!(day, NaiveDate::from_ymd_opt(10_000, 1, 1).unwrap());
    }

    #[test]
    fn an_instant_is_written_in_utc_to_the_millisecond() {
        let cases = [
            "1970-01-01T00:00:00.000Z",
            "2024-02-29T23:59:59.999Z",
            "1969-12-31T23:59:59.001Z",
            "0001-01-01T00:00:00.000Z",
        ];
        for text in cases {
            assert_eq!(formatted(us(text)), text);
        }
        let moment = 1_700_000_000_123_456;
        let expected = DateTime::from_timestamp_micros(moment).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
        assert_eq!(formatted(moment), expected);
        assert_eq!(formatted(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(formatted(i64::MIN), "0001-01-01T00:00:00.000Z");
    }
}
