//! Units with their exact factors, written down anew for the oracle.
//!
//! Spec: R4 search.html#quantity

use std::cmp::Ordering;

use crate::search_oracle::decimals::Decimal;

/// Code, what it measures, the size of one as a fraction, and hundredths to add to the number so that it counts from
/// an absolute zero.
type Unit = (&'static str, &'static str, i128, i128, i128);

const UNITS: &[Unit] = &[
    ("kg", "mass", 1000, 1, 0),
    ("g", "mass", 1, 1, 0),
    ("mg", "mass", 1, 1000, 0),
    ("[lb_av]", "mass", 45_359_237, 100_000, 0),
    ("[oz_av]", "mass", 45_359_237, 1_600_000, 0),
    ("mm[Hg]", "pressure", 133_322, 1000, 0),
    ("kPa", "pressure", 1000, 1, 0),
    ("K", "temperature", 9, 1, 0),
    ("Cel", "temperature", 9, 1, 27_315),
    ("[degF]", "temperature", 5, 1, 45_967),
    ("mg/dL", "density", 1, 1, 0),
    ("g/L", "density", 100, 1, 0),
    ("ug/mL", "density", 1, 10, 0),
    ("/min", "rate", 1, 1, 0),
    ("Hz", "rate", 60, 1, 0),
    ("/h", "rate", 1, 60, 0),
    ("a", "time", 12, 1, 0),
    ("mo", "time", 1, 1, 0),
];

fn unit(code: &str) -> Option<&'static Unit> {
    UNITS.iter().find(|(of, ..)| *of == code)
}

/// The codes of all units that measure the same as `code`; none when it is not among those known here.
pub fn alike(code: &str) -> Vec<&'static str> {
    let measured = unit(code).map(|unit| unit.1);
    UNITS.iter().filter(|unit| Some(unit.1) == measured).map(|unit| unit.0).collect()
}

/// Whether a stored amount meets `prefix` and the sought one; an amount of something else never does.
pub fn admits(prefix: &str, sought: (Decimal, &str), stored: (Decimal, &str)) -> bool {
    let (Some(unit), Some(of)) = (unit(sought.1), unit(stored.1)) else {
        return sought.1 == stored.1 && sought.0.admits(prefix, stored.0);
    };
    if unit.1 != of.1 {
        return false;
    }
    // Half units and tenths need one place more each; the zeros two at least.
    let place = sought.0.place().min(stored.0.place()).min(0) - 2;
    let hundredth = 10_i128.pow(u32::try_from(-2 - place).expect("hundredths are the coarsest"));
    let size = |number: i128, unit: &Unit, other: &Unit| (number + unit.4 * hundredth) * unit.2 * other.3;
    let stored = size(stored.0.at(place), of, unit);
    let number = sought.0.at(place);
    let against = |number: i128| stored.cmp(&size(number, unit, of));
    let half = sought.0.half_at(place);
    let is_near = against(number - half).is_ge() && against(number + half) == Ordering::Less;
    let order = against(number);
    match prefix {
        "" | "eq" => is_near,
        "ne" => !is_near,
        "gt" | "sa" => order.is_gt(),
        "lt" | "eb" => order.is_lt(),
        "ge" => order.is_ge(),
        "le" => order.is_le(),
        "ap" => {
            let tenth = number.abs() / 10;
            is_near || (against(number - tenth).is_ge() && against(number + tenth).is_le())
        }
        _ => unreachable!("there is no prefix {prefix}"),
    }
}
