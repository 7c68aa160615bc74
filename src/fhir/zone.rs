//! Zones, as dates name them.
//!
//! Spec: R4 datatypes.html#dateTime

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The furthest zone from UTC, on either side.
const MOST_MINUTES: i16 = 14 * 60;

/// A distance from UTC: `Z` or `+hh:mm`, `-hh:mm`, up to 14 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(i16);

/// The text is no zone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is no zone: write +hh:mm or -hh:mm, up to 14 hours from UTC, or Z")]
pub struct NotAZone(String);

impl Zone {
    /// The zone so many minutes east of UTC.
    pub fn from_minutes(minutes: i16) -> Zone {
        Zone(minutes)
    }

    /// Minutes east of UTC.
    pub fn minutes(self) -> i16 {
        self.0
    }
}

impl FromStr for Zone {
    type Err = NotAZone;

    fn from_str(text: &str) -> Result<Zone, NotAZone> {
        if text == "Z" {
            return Ok(Zone(0));
        }
        let number = |digits: &[u8]| match digits {
            [ten @ b'0'..=b'9', one @ b'0'..=b'9'] => Some(i16::from(ten - b'0') * 10 + i16::from(one - b'0')),
            _ => None,
        };
        let minutes = match text.as_bytes() {
            [sign @ (b'+' | b'-'), hours @ .., b':', tens, ones] => {
                let minutes = number(&[*tens, *ones]).filter(|minutes| *minutes < 60);
                let distance = number(hours).zip(minutes).map(|(hours, minutes)| hours * 60 + minutes);
                distance.map(|distance| if *sign == b'-' { -distance } else { distance })
            }
            _ => None,
        };
        let zone = minutes.filter(|minutes| (-MOST_MINUTES..=MOST_MINUTES).contains(minutes)).map(Zone);
        zone.ok_or_else(|| NotAZone(text.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, distance) = (if self.0 < 0 { '-' } else { '+' }, self.0.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", distance / 60, distance % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_reads_as_it_is_written() {
        for (text, minutes) in [("+00:00", 0), ("+01:00", 60), ("-03:30", -210), ("+14:00", 840), ("-00:30", -30)] {
            let zone: Zone = text.parse().unwrap();

            assert_eq!((zone.minutes(), zone.to_string().as_str()), (minutes, text));
        }
        assert_eq!("Z".parse(), Ok(Zone(0)));
        assert_eq!("-00:00".parse(), Ok(Zone(0)));
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for text in
            ["", "60", "+1:00", "01:00", "+01:60", "+14:01", "-15:00", "+01:0", "+001:00", "z", "+01:00 ", "+-1:00"]
        {
            assert!(text.parse::<Zone>().is_err(), "{text}");
        }
    }
}
