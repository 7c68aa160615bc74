//! Dates and times as spans, read anew for the oracle, and what each prefix says of two of them.
//!
//! Spec: R4 search.html#date, #prefix

/// From the first microsecond since 1970 that is meant to the first that is not; the ends of `i64` are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

impl Span {
    /// Reads a date, dateTime or instant, or what a search may shorten it to; without a zone it is in UTC.
    pub fn read(text: &str) -> Option<Span> {
        let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
        let parts: Vec<i64> = date.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let day = |year, month, day| days(year, month, day) * DAY;
        let Some(time) = time else {
            return Some(match parts[..] {
                [year] => Span { from: day(year, 1, 1), to: day(year + 1, 1, 1) },
                [year, 12] => Span { from: day(year, 12, 1), to: day(year + 1, 1, 1) },
                [year, month] => Span { from: day(year, month, 1), to: day(year, month + 1, 1) },
                [year, month, of] => Span { from: day(year, month, of), to: day(year, month, of) + DAY },
                _ => return None,
            });
        };
        let [year, month, of] = parts[..] else { return None };
        let (clock, east) = zone(time)?;
        let mut clock = clock.split(':');
        let hours: i64 = clock.next()?.parse().ok()?;
        let minutes: i64 = clock.next()?.parse().ok()?;
        let (seconds, width) = match clock.next() {
            None => (0, 60 * SECOND),
            Some(seconds) => {
                let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
                let unit = SECOND / 10_i64.pow(u32::try_from(fraction.len()).ok()?);
                let parts = if fraction.is_empty() { 0 } else { fraction.parse::<i64>().ok()? };
                (whole.parse::<i64>().ok()? * SECOND + parts * unit, unit)
            }
        };
        let from = day(year, month, of) + (hours * 60 + minutes - east) * 60 * SECOND + seconds;
        Some(Span { from, to: from + width })
    }

    /// Whether a stored span meets `prefix` and this, the sought one. `now` is for `ap` alone.
    pub fn admits(self, prefix: &str, stored: Span, now: i64) -> bool {
        let contains = self.from <= stored.from && stored.to <= self.to;
        match prefix {
            "" | "eq" => contains,
            "ne" => !contains,
            "gt" => stored.to > self.to,
            "lt" => stored.from < self.from,
            "ge" => stored.to > self.to || contains,
            "le" => stored.from < self.from || contains,
            "sa" => stored.from >= self.to,
            "eb" => stored.to <= self.from,
            "ap" => {
                let gap = (self.from - now).max(now - self.to).max(0);
                stored.from < self.to + gap / 10 && stored.to > self.from - gap / 10
            }
            _ => unreachable!("there is no prefix {prefix}"),
        }
    }
}

/// The time of day without its zone, and the zone in minutes east of UTC.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (hours, minutes) = time[at + 1..].split_once(':')?;
    let east = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    Some((&time[..at], if time[at..].starts_with('-') { -east } else { east }))
}

/// Days from 1970-01-01, counted year by year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before: i64 = lengths.iter().take(usize::try_from(month - 1).unwrap_or(0)).sum();
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969) + before + day - 1
}
