//! Decimal numbers of any length, in which sprig calculates with fractions.
//!
//! Follows shopspring/decimal v1.4.

use std::cmp::Ordering;

use rsa::BigUint;

/// A quotient has so many digits after the point.
const PRECISION: i32 = 16;

/// `±digits × 10^exponent`
#[derive(Clone, Debug)]
pub(in crate::funcs) struct Decimal {
    negative: bool,
    digits: BigUint,
    exponent: i32,
}

impl Decimal {
    /// The shortest decimal that stands for the float.
    pub(in crate::funcs) fn of(value: f64) -> Result<Self, String> {
        if !value.is_finite() {
            let name = match value {
                value if value.is_nan() => "NaN",
                value if value > 0.0 => "+Inf",
                _ => "-Inf",
            };
            return Err(format!("Cannot create a Decimal from {name}"));
        }
        let text = format!("{:e}", value.abs());
        let (mantissa, exponent) = text.split_once('e').expect("LowerExp prints an exponent");
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i32 = exponent.parse().expect("LowerExp prints a number");
        let places = i32::try_from(fraction.len()).expect("a float has 17 digits at most");
        let digits: u64 = [whole, fraction].concat().parse().expect("a float has 17 digits");
        Ok(Self {
            negative: value < 0.0,
            digits: BigUint::from(digits),
            exponent: exponent - places,
        })
    }

    /// The nearest float.
    pub(in crate::funcs) fn to_float(&self) -> f64 {
        let text = format!("{}e{}", self.digits, self.exponent);
        let value: f64 = text.parse().expect("it is a number");
        // A decimal knows no negative zero.
        if self.negative && self.digits.bits() > 0 { -value } else { value }
    }

    pub(in crate::funcs) fn add(&self, other: &Self) -> Self {
        let (a, b) = aligned(self, other);
        let exponent = self.exponent.min(other.exponent);
        if self.negative == other.negative {
            return Self { negative: self.negative, digits: a + b, exponent };
        }
        match a.cmp(&b) {
            Ordering::Less => Self { negative: other.negative, digits: b - a, exponent },
            _ => Self { negative: self.negative, digits: a - b, exponent },
        }
    }

    pub(in crate::funcs) fn sub(&self, other: &Self) -> Self {
        self.add(&Self { negative: !other.negative, ..other.clone() })
    }

    pub(in crate::funcs) fn mul(&self, other: &Self) -> Self {
        Self {
            negative: self.negative != other.negative,
            digits: &self.digits * &other.digits,
            exponent: self.exponent.saturating_add(other.exponent),
        }
    }

    /// The quotient, rounded half away from zero at 16 places; nothing for a division by zero.
    pub(in crate::funcs) fn div(&self, other: &Self) -> Option<Self> {
        if other.digits.bits() == 0 {
            return None;
        }
        let shift = self.exponent - other.exponent + PRECISION;
        let power = power_of_ten(shift.unsigned_abs());
        let (dividend, divisor) = if shift < 0 {
            (self.digits.clone(), &other.digits * power)
        } else {
            (&self.digits * power, other.digits.clone())
        };
        let mut digits = &dividend / &divisor;
        let rest = dividend - &digits * &divisor;
        if rest * 2_u32 >= divisor {
            digits += 1_u32;
        }
        Some(Self { negative: self.negative != other.negative, digits, exponent: -PRECISION })
    }
}

/// The digits of both at the smaller exponent.
fn aligned(a: &Decimal, b: &Decimal) -> (BigUint, BigUint) {
    let shift = a.exponent.abs_diff(b.exponent);
    match a.exponent.cmp(&b.exponent) {
        Ordering::Equal => (a.digits.clone(), b.digits.clone()),
        Ordering::Greater => (&a.digits * power_of_ten(shift), b.digits.clone()),
        Ordering::Less => (a.digits.clone(), &b.digits * power_of_ten(shift)),
    }
}

fn power_of_ten(exponent: u32) -> BigUint {
    let mut power = BigUint::from(1_u32);
    let mut base = BigUint::from(10_u32);
    let mut left = exponent;
    while left > 0 {
        if left & 1 == 1 {
            power *= &base;
        }
        base = &base * &base;
        left >>= 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the results are exact")]
    fn calculates_as_on_paper() {
        let of = |value| Decimal::of(value).unwrap();
        assert_eq!(of(0.1).add(&of(0.2)).to_float(), 0.3);
        assert_eq!(of(0.3).sub(&of(0.1)).to_float(), 0.2);
        assert_eq!(of(1.1).mul(&of(1.1)).to_float(), 1.21);
        assert_eq!(of(10.0).div(&of(3.0)).unwrap().to_float(), 3.333_333_333_333_333_3);
        assert_eq!(of(-2.0).div(&of(3.0)).unwrap().to_float(), -0.666_666_666_666_666_7);
        assert_eq!(of(5.0).sub(&of(7.5)).to_float(), -2.5);
        assert_eq!(of(1e300).mul(&of(1e300)).to_float(), f64::INFINITY);
        assert!(of(1.0).div(&of(0.0)).is_none());
        assert!(Decimal::of(f64::NAN).is_err());
    }
}
