//! Whole numbers without an upper bound: what exact fractions of units are made of.

use std::cmp::Ordering;

/// Digits to the base of 2^64, the lowest first; the highest is never zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural(Vec<u64>);

impl Natural {
    pub(super) fn from_u64(value: u64) -> Natural {
        Natural(if value == 0 { Vec::new() } else { vec![value] })
    }

    pub(super) fn power_of_ten(exponent: u32) -> Natural {
        /// The largest power of ten in one digit.
        const STEP: u32 = 19;
        let mut power = Natural::from_u64(10_u64.pow(exponent % STEP));
        for _ in 0..exponent / STEP {
            power.multiply_add(10_u64.pow(STEP), 0);
        }
        power
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_one(&self) -> bool {
        self.0 == [1]
    }

    /// The number of binary digits.
    pub(super) fn bits(&self) -> usize {
        let leading = self.0.last().map_or(0, |highest| highest.leading_zeros() as usize);
        self.0.len() * 64 - leading
    }

    /// Becomes itself times `factor` plus `term`.
    pub(super) fn multiply_add(&mut self, factor: u64, term: u64) {
        let mut carry = u128::from(term);
        for digit in &mut self.0 {
            let product = u128::from(*digit) * u128::from(factor) + carry;
            *digit = product as u64;
            carry = product >> 64;
        }
        self.0.push(carry as u64);
        self.trim();
    }

    pub(super) fn times(&self, other: &Natural) -> Natural {
        let mut digits = vec![0_u64; self.0.len() + other.0.len()];
        for (place, left) in self.0.iter().enumerate() {
            let mut carry = 0_u128;
            for (digit, right) in digits[place..].iter_mut().zip(&other.0) {
                let sum = u128::from(*left) * u128::from(*right) + u128::from(*digit) + carry;
                *digit = sum as u64;
                carry = sum >> 64;
            }
            digits[place + other.0.len()] = carry as u64;
        }
        let mut product = Natural(digits);
        product.trim();
        product
    }

    pub(super) fn plus(&self, other: &Natural) -> Natural {
        let (long, short) = if self.0.len() < other.0.len() { (other, self) } else { (self, other) };
        let mut digits = Vec::with_capacity(long.0.len() + 1);
        let mut carry = 0_u128;
        for (place, digit) in long.0.iter().enumerate() {
            let sum = u128::from(*digit) + u128::from(short.0.get(place).copied().unwrap_or(0)) + carry;
            digits.push(sum as u64);
            carry = sum >> 64;
        }
        digits.push(carry as u64);
        let mut sum = Natural(digits);
        sum.trim();
        sum
    }

    /// Takes away `other`, which must not be larger.
    pub(super) fn subtract(&mut self, other: &Natural) {
        let mut borrow = false;
        for (place, digit) in self.0.iter_mut().enumerate() {
            let (less, first) = digit.overflowing_sub(other.0.get(place).copied().unwrap_or(0));
            let (less, second) = less.overflowing_sub(u64::from(borrow));
            *digit = less;
            borrow = first || second;
        }
        self.trim();
    }

    /// Itself times two to the power of `places`.
    pub(super) fn shifted(&self, places: usize) -> Natural {
        let (whole, rest) = (places / 64, places % 64);
        let mut digits = vec![0; whole];
        let mut carry = 0;
        for digit in &self.0 {
            digits.push(digit << rest | carry);
            carry = if rest == 0 { 0 } else { digit >> (64 - rest) };
        }
        digits.push(carry);
        let mut shifted = Natural(digits);
        shifted.trim();
        shifted
    }

    /// The whole quotient, and whether nothing remains; `None` when the quotient needs more than 127 binary digits or
    /// `divisor` is zero.
    pub(super) fn quotient(mut self, divisor: &Natural) -> Option<(u128, bool)> {
        if divisor.is_zero() {
            return None;
        }
        let steps = self.bits().saturating_sub(divisor.bits());
        if steps >= 127 {
            return None;
        }
        let mut part = divisor.shifted(steps);
        let mut quotient = 0_u128;
        for _ in 0..=steps {
            quotient <<= 1;
            if self >= part {
                self.subtract(&part);
                quotient |= 1;
            }
            part.halve();
        }
        Some((quotient, self.is_zero()))
    }

    /// The greatest number that divides both without a rest; neither is zero.
    pub(super) fn common_divisor(&self, other: &Natural) -> Natural {
        let (mut left, mut right) = (self.clone(), other.clone());
        let twos = left.trailing_zeros().min(right.trailing_zeros());
        left.drop_twos();
        right.drop_twos();
        while left != right {
            if left < right {
                std::mem::swap(&mut left, &mut right);
            }
            left.subtract(&right);
            left.drop_twos();
        }
        left.shifted(twos)
    }

    fn trailing_zeros(&self) -> usize {
        let whole = self.0.iter().take_while(|digit| **digit == 0).count();
        whole * 64 + self.0.get(whole).map_or(0, |digit| digit.trailing_zeros() as usize)
    }

    fn drop_twos(&mut self) {
        let zeros = self.trailing_zeros();
        self.0.drain(..zeros / 64);
        let rest = zeros % 64;
        if rest != 0 {
            let mut carry = 0;
            for digit in self.0.iter_mut().rev() {
                (*digit, carry) = (*digit >> rest | carry, *digit << (64 - rest));
            }
        }
        self.trim();
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for digit in self.0.iter_mut().rev() {
            (*digit, carry) = (*digit >> 1 | carry, *digit << 63);
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Natural) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Natural) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_crosses_the_borders_of_digits() {
        let large = Natural::power_of_ten(40);
        let one = Natural::from_u64(1);
        let mut less = large.clone();
        less.subtract(&one);

        assert_eq!(less.plus(&one), large);
        assert_eq!(Natural::power_of_ten(20).times(&Natural::power_of_ten(20)), large);
        assert!(less < large && large.bits() == 133);
        assert_eq!(one.shifted(200).bits(), 201);
        assert_eq!(large.clone().quotient(&Natural::power_of_ten(21)), Some((10_u128.pow(19), true)));
        assert_eq!(less.quotient(&Natural::power_of_ten(21)), Some((10_u128.pow(19) - 1, false)));
        assert_eq!(large.quotient(&Natural::from_u64(0)), None);
        assert_eq!(one.shifted(200).quotient(&one), None);
    }

    #[test]
    fn the_common_divisor_leaves_nothing_in_common() {
        let left = Natural::power_of_ten(30).times(&Natural::from_u64(21));
        let right = Natural::power_of_ten(25).times(&Natural::from_u64(77));

        let common = left.common_divisor(&right);

        assert_eq!(common, Natural::power_of_ten(25).times(&Natural::from_u64(7)));
    }
}
