//! The test that nearly all candidates for a prime fail: whether two is a witness that a number is composite.
//!
//! It takes nearly all of the time of a key, so it has squares in Montgomery's form of its own: a power of two
//! needs no products of other numbers, and a double is a shift.

use rsa::BigUint;

/// Whether two shows an odd number to be composite, by the test of Miller and Rabin. `odd` and `halvings` are
/// the number less one, as `odd * 2^halvings`.
pub(super) fn two_is_witness(number: &BigUint, odd: &BigUint, halvings: usize) -> bool {
    let modulus = limbs(number);
    let mut squares = Squares::new(&modulus);
    let one = padded(&((BigUint::from(1_u32) << (64 * modulus.len())) % number), modulus.len());
    let mut minus_one = modulus.clone();
    subtract(&mut minus_one, &one);
    let mut power = one.clone();
    for limb in limbs(odd).iter().rev() {
        for bit in (0..64).rev() {
            squares.square(&mut power);
            if limb >> bit & 1 == 1 {
                squares.double(&mut power);
            }
        }
    }
    if power == one || power == minus_one {
        return false;
    }
    for _ in 1..halvings {
        squares.square(&mut power);
        if power == minus_one {
            return false;
        }
    }
    true
}

/// Arithmetic modulo an odd number, of numbers times 2^64 to the length of the modulus.
#[derive(Debug)]
struct Squares<'m> {
    modulus: &'m [u64],
    /// What the lowest limb of the modulus makes -1 of.
    inverse: u64,
    /// Room for a square.
    wide: Vec<u64>,
}

impl<'m> Squares<'m> {
    fn new(modulus: &'m [u64]) -> Self {
        // Each step doubles the bits that are right, of which there are three at first.
        let lowest = modulus[0];
        let inverse = (0..5).fold(lowest, |inverse, _| {
            inverse.wrapping_mul(2_u64.wrapping_sub(lowest.wrapping_mul(inverse)))
        });
        let wide = vec![0; 2 * modulus.len()];
        Self { modulus, inverse: inverse.wrapping_neg(), wide }
    }

    fn square(&mut self, number: &mut [u64]) {
        let wide = &mut self.wide[..];
        let length = number.len();
        wide.fill(0);
        // The products of different limbs stand twice in a square.
        for (at, limb) in number.iter().enumerate() {
            let others = &number[at + 1..];
            let (row, after) = wide[2 * at + 1..].split_at_mut(others.len());
            after[0] = add_product(row, *limb, others);
        }
        let (mut shifted, mut carry) = (0, 0);
        for (limb, pair) in number.iter().zip(wide.chunks_exact_mut(2)) {
            let square = product(*limb, *limb);
            for (place, part) in pair.iter_mut().zip([square, square >> 64]) {
                let doubled = *place << 1 | shifted;
                shifted = *place >> 63;
                let sum = u128::from(doubled) + u128::from(low(part)) + carry;
                *place = low(sum);
                carry = sum >> 64;
            }
        }
        // Multiples of the modulus make the lower half zero.
        let mut carry = 0;
        for at in 0..length {
            let (row, after) = wide[at..].split_at_mut(length);
            let factor = row[0].wrapping_mul(self.inverse);
            let sum =
                u128::from(after[0]) + u128::from(add_product(row, factor, self.modulus)) + carry;
            after[0] = low(sum);
            carry = sum >> 64;
        }
        number.copy_from_slice(&wide[length..]);
        self.reduce(number, carry > 0);
    }

    fn double(&self, number: &mut [u64]) {
        let mut shifted = 0;
        for limb in &mut *number {
            let next = *limb >> 63;
            *limb = *limb << 1 | shifted;
            shifted = next;
        }
        self.reduce(number, shifted > 0);
    }

    /// Takes the modulus away from what may be as large; `over` is the bit over its limbs.
    fn reduce(&self, number: &mut [u64], over: bool) {
        if over || number.iter().rev().cmp(self.modulus.iter().rev()).is_ge() {
            subtract(number, self.modulus);
        }
    }
}

/// Adds a number times a limb to another of its length; gives what is over.
fn add_product(to: &mut [u64], limb: u64, number: &[u64]) -> u64 {
    let mut carry = 0;
    for (place, other) in to.iter_mut().zip(number) {
        let sum = product(limb, *other) + u128::from(*place) + carry;
        *place = low(sum);
        carry = sum >> 64;
    }
    low(carry)
}

fn subtract(from: &mut [u64], number: &[u64]) {
    let mut borrowed = false;
    for (place, limb) in from.iter_mut().zip(number) {
        (*place, borrowed) = place.borrowing_sub(*limb, borrowed);
    }
}

fn product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

#[expect(clippy::cast_possible_truncation, reason = "the other half is taken elsewhere")]
fn low(wide: u128) -> u64 {
    wide as u64
}

/// The limbs of a number, the lowest first.
fn limbs(number: &BigUint) -> Vec<u64> {
    let bytes = number.to_bytes_le();
    let limb = |chunk: &[u8]| chunk.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
    bytes.chunks(8).map(limb).collect()
}

fn padded(number: &BigUint, length: usize) -> Vec<u64> {
    let mut limbs = limbs(number);
    limbs.resize(length, 0);
    limbs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by powers of any base.
    fn expected(number: &BigUint, odd: &BigUint, halvings: usize) -> bool {
        let (one, two) = (BigUint::from(1_u32), BigUint::from(2_u32));
        let minus_one = number - &one;
        let mut power = two.modpow(odd, number);
        if power == one {
            return false;
        }
        for _ in 0..halvings {
            if power == minus_one {
                return false;
            }
            power = power.modpow(&two, number);
        }
        true
    }

    #[test]
    fn witnesses_are_those_of_powers() {
        let one = BigUint::from(1_u32);
        let check = |number: &BigUint| {
            let minus_one = number - &one;
            let halvings = minus_one.trailing_zeros().unwrap();
            let odd = &minus_one >> halvings;
            let witness = two_is_witness(number, &odd, halvings);
            assert_eq!(witness, expected(number, &odd, halvings), "{number}");
            witness
        };
        // Primes, and what two takes for one.
        let small = (3..5000_u32).step_by(2).filter(|number| !check(&BigUint::from(*number)));
        let strong = small.filter(|number| (2..*number).any(|divisor| number % divisor == 0));
        assert_eq!(strong.collect::<Vec<_>>(), [2047, 3277, 4033, 4681]);
        // Mersenne's numbers are all ones; of these exponents, those give primes that are no multiple of 100.
        for exponent in [61, 89, 100, 127, 300, 521, 607, 1000, 1279] {
            let number = (&one << exponent) - &one;
            assert_eq!(check(&number), exponent % 100 == 0, "{exponent}");
        }
        // Others of all lengths, dense and sparse.
        let mut state = 1_u64;
        for length in 1..200 {
            let mut bytes: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56).to_le_bytes()[0]
                })
                .collect();
            if length % 3 == 0 {
                bytes[1..length - 1].fill(if length % 2 == 0 { 0xff } else { 0 });
            }
            bytes[0] |= 1;
            bytes[length - 1] |= 2;
            check(&BigUint::from_bytes_le(&bytes));
        }
    }
}
