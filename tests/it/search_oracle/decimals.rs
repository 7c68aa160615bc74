//! Decimals as exact whole numbers with a power of ten, read anew for the oracle.
//!
//! Spec: R4 search.html#number, #quantity

/// `digits * 10^place`
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: i128,
    place: i32,
}

impl Decimal {
    pub fn read(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let place = exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
        // R4 prints 95 to 105 for `1e2`: as if it were `1.0e2`.
        let is_lone = text.contains(['e', 'E']) && mantissa.trim_start_matches('-').len() == 1;
        Some(if is_lone { Decimal { digits: digits * 10, place: place - 1 } } else { Decimal { digits, place } })
    }

    /// The power of ten of its last digit.
    pub fn place(self) -> i32 {
        self.place
    }

    /// Half a unit of its last digit, in units of `10^place`, which must be finer.
    pub fn half_at(self, place: i32) -> i128 {
        5 * 10_i128.pow(u32::try_from(self.place - 1 - place).expect("a finer place"))
    }

    /// In units of `10^place`, which must not be coarser than the number's own.
    pub fn at(self, place: i32) -> i128 {
        self.digits * 10_i128.pow(u32::try_from(self.place - place).expect("a finer place"))
    }

    /// Whether a stored number meets `prefix` and this, the sought one. Only `eq`, `ne` and `ap` see how precisely
    /// it was written.
    pub fn admits(self, prefix: &str, stored: Decimal) -> bool {
        // One place more for the half units, and one for the tenths of `ap`.
        let place = self.place.min(stored.place) - 2;
        let (sought, stored) = (self.at(place), stored.at(place));
        let half = self.half_at(place);
        let is_near = sought - half <= stored && stored < sought + half;
        match prefix {
            "" | "eq" => is_near,
            "ne" => !is_near,
            "gt" | "sa" => stored > sought,
            "lt" | "eb" => stored < sought,
            "ge" => stored >= sought,
            "le" => stored <= sought,
            "ap" => is_near || (stored - sought).abs() <= sought.abs() / 10,
            _ => unreachable!("there is no prefix {prefix}"),
        }
    }
}

/// A value without its prefix, and the prefix, which may be empty.
pub fn split_prefix(value: &str) -> (&str, &str) {
    const PREFIXES: [&str; 9] = ["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];
    match value.get(..2) {
        Some(prefix) if PREFIXES.contains(&prefix) => value.split_at(2),
        _ => ("", value),
    }
}
