//! Searches for single bytes, eight at a time.
//!
//! Wider ones would be faster for long texts. But which ones there are must be asked of the processor
//! at each start of a program, and in a virtual machine the answer takes longer than a small build
//! spends on all its searches; most lines are short besides.

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// The place of the first byte that is `wanted`.
#[inline]
pub(crate) fn find(wanted: u8, bytes: &[u8]) -> Option<usize> {
    find_any([wanted], bytes)
}

/// The places of the bytes that are `wanted`.
pub(crate) fn find_all(wanted: u8, bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next + find(wanted, &bytes[next..])?;
        next = at + 1;
        Some(at)
    })
}

/// The place of the first byte that is one of `wanted`.
#[inline]
pub(crate) fn find_any<const N: usize>(wanted: [u8; N], bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest bit that is set belongs to a byte that was found; higher ones may not.
        let mut found = 0;
        for byte in wanted {
            let zero_where_found = word ^ (u64::from(byte) * ONES);
            found |= zero_where_found.wrapping_sub(ONES) & !zero_where_found & HIGHS;
        }
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    rest.iter().position(|byte| wanted.contains(byte)).map(|at| words.len() * 8 + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_plain_search_finds() {
        let mut seed = 1_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        for length in 0..200 {
            // Neighbours of what is searched for, so that borrows of the subtraction are met.
            let bytes: Vec<u8> = (0..length)
                .map(|_| [b'9', b':', b';', 0, 1, 0x80, 0xff, 0xba][next() as usize % 8])
                .collect();
            for from in 0..bytes.len() {
                let rest = &bytes[from..];
                let plain = |wanted: &[u8]| rest.iter().position(|byte| wanted.contains(byte));
                assert_eq!(find(b':', rest), plain(b":"));
                assert_eq!(find(0, rest), plain(&[0]));
                let all = (0..rest.len()).filter(|&at| rest[at] == 0xba);
                assert!(find_all(0xba, rest).eq(all));
                assert_eq!(find(b'\n', rest), None);
                assert_eq!(find_any([b';', 1, 0xff], rest), plain(&[b';', 1, 0xff]));
            }
        }
    }
}
