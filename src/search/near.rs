//! Locations near a point: `near=[latitude]|[longitude]|[distance]|[units]`.
//!
//! Points are kept and compared as points of a sphere with the radius 1. Neither the poles nor the date line are special
//! there, and a distance is the length of a chord, which both databases find with the four basic operations.
//!
//! Spec: R4 location.html#search (near), location-definitions.html#Location.position

use serde_json::Value;

use crate::fhir::Resource;
use crate::fhir::ucum::{self, Exact};
use crate::search::query_text::{split, unescape};
use crate::store::{PositionRow, Query};

/// The mean radius of the Earth. The sphere is up to 0.6 % wrong about distances, as every formula that ignores the
/// flattening.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// What is near when the search names no distance.
const DEFAULT_DISTANCE_M: f64 = 10_000.0;

/// The most points of one parameter: each is a condition of its own.
const MAX_CIRCLES: usize = 8;

/// Coordinates are rounded to so many parts of the radius, 6 micrometres, so that every machine gets the same ones.
const STEPS: f64 = 1e12;

/// What rounding may add to a chord.
const SLACK: f64 = 4.0 / STEPS;

const FORM: &str = "give latitude|longitude|distance|units with degrees from -90 to 90 and from -180 to 180, a distance \
     of 0 or more, and units of UCUM; distance and units may be left out";

const UNITS: &str = "the units are lengths of UCUM, such as km (when left out), m, [mi_i], [nmi_i] or [ft_i]";

/// The points around `center` that are at most so far away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    center: PositionRow,
    /// Degrees, for the bounds of z.
    latitude: f64,
    /// The distance as an angle at the centre of the Earth, in radians; at most half a turn.
    angle: f64,
}

/// Reads the values of `near`; problems are told as what would be right.
pub(super) fn parse(parts: &[&str]) -> Result<Vec<Circle>, String> {
    if parts.len() > MAX_CIRCLES {
        return Err(format!("it takes at most {MAX_CIRCLES} points; split the search"));
    }
    parts.iter().map(|part| circle(part)).collect()
}

fn circle(part: &str) -> Result<Circle, String> {
    let pieces: Vec<&str> = split(part, '|').collect();
    let (latitude, longitude, rest) = match pieces.as_slice() {
        [latitude, longitude, rest @ ..] if rest.len() <= 2 => (latitude, longitude, rest),
        _ => return Err(FORM.to_owned()),
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let (Some(latitude), Some(longitude)) = (number(latitude), number(longitude)) else {
        return Err(FORM.to_owned());
    };
    let center = point(latitude, longitude).ok_or(FORM)?;
    let distance = rest.first().filter(|text| !text.is_empty());
    let unit = match rest.get(1) {
        Some(unit) => unescape(unit).ok_or(UNITS)?,
        None => String::new(),
    };
    let metres = metres(&unit).ok_or(UNITS)?;
    let distance = match distance {
        Some(text) => number(text).filter(|number| *number >= 0.0).ok_or(FORM)? * metres,
        None => DEFAULT_DISTANCE_M,
    };
    Ok(Circle { center, latitude, angle: (distance / EARTH_RADIUS_M).min(std::f64::consts::PI) })
}

/// How many metres a unit has.
fn metres(unit: &str) -> Option<f64> {
    let conversion = ucum::canonical(if unit.is_empty() { "km" } else { unit })?;
    (conversion.unit() == "m").then(|| conversion.apply(&Exact::one()))
}

/// The point at so many degrees; `None` when the Earth has no such place.
fn point(latitude: f64, longitude: f64) -> Option<PositionRow> {
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return None;
    }
    // Adding zero makes minus zero plain zero.
    let rounded = |value: f64| (value * STEPS).round() / STEPS + 0.0;
    let (latitude, longitude) = (latitude.to_radians(), longitude.to_radians());
    Some(PositionRow {
        x: rounded(latitude.cos() * longitude.cos()),
        y: rounded(latitude.cos() * longitude.sin()),
        z: rounded(latitude.sin()),
    })
}

/// Where a Location is; `None` for every other type, and when it does not say or the place does not exist.
pub(super) fn position(resource: &Resource) -> Option<PositionRow> {
    if resource.resource_type.name() != "Location" {
        return None;
    }
    let position = resource.value.get("position")?;
    let degrees = |name| position.get(name).and_then(Value::as_f64);
    point(degrees("latitude")?, degrees("longitude")?)
}

/// Writes ` FROM index_position i WHERE ..`: the rows within one of the circles, or all of them when there is none.
pub(super) fn rows(query: &mut Query, circles: &[Circle]) {
    query.sql(" FROM index_position i WHERE (");
    if circles.is_empty() {
        query.sql("1 = 1");
    }
    for (place, circle) in circles.iter().enumerate() {
        query.sql(if place == 0 { "" } else { " OR " });
        let PositionRow { x, y, z } = circle.center;
        let (south, north) = circle.heights();
        let chord = 2.0 * (circle.angle / 2.0).sin() + SLACK;
        query.sql("i.z >= ").real(south).sql(" AND i.z <= ").real(north);
        query.sql(" AND (i.x - ").real(x).sql(") * (i.x - ").real(x);
        query.sql(") + (i.y - ").real(y).sql(") * (i.y - ").real(y);
        query.sql(") + (i.z - ").real(z).sql(") * (i.z - ").real(z);
        query.sql(") <= ").real(chord * chord);
    }
    query.sql(")");
}

impl Circle {
    /// The lowest and the highest z within.
    fn heights(&self) -> (f64, f64) {
        const QUARTER: f64 = std::f64::consts::FRAC_PI_2;
        let latitude = self.latitude.to_radians();
        let height = |angle: f64| angle.clamp(-QUARTER, QUARTER).sin();
        (height(latitude - self.angle) - SLACK, height(latitude + self.angle) + SLACK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_and_units_may_be_left_out() {
        let angle = |text: &str| parse(&[text]).unwrap()[0].angle * EARTH_RADIUS_M;
        let cases = [
            ("1|2", 10_000.0),
            ("1|2||", 10_000.0),
            ("1|2||m", 10_000.0),
            ("-90|180|5", 5_000.0),
            ("1|2|5|km", 5_000.0),
            ("1|2|5.5|m", 5.5),
            ("1|2|1|[mi_us]", 1_609.347_218_694_4),
            ("1|2|1e9|km", std::f64::consts::PI * EARTH_RADIUS_M),
        ];

        for (text, metres) in cases {
            assert!((angle(text) - metres).abs() < 1e-6, "{text}: {}", angle(text));
        }
    }

    #[test]
    fn what_is_no_place_or_no_distance_is_refused() {
        let bad = [
            "1",
            "|",
            "1|",
            "|1",
            "a|1",
            "90.1|0",
            "0|180.5",
            "NaN|0",
            "0|inf",
            "1|2|-1",
            "1|2|x|km",
            "1|2|1|mile",
            "1|2|NaN",
            "1|2|3|km|5",
        ];

        for text in bad {
            assert!(parse(&[text]).is_err(), "{text}");
        }
        assert!(parse(&["1|2"; MAX_CIRCLES + 1]).is_err());
    }
}
