//! Numbers as Go's `x/text/message` shows them in English.

/// An integer with separators.
pub(super) fn integer(value: usize) -> String {
    group(&value.to_string())
}

/// A float: separators, or a power of ten where the number is large or tiny.
pub(super) fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        let power: String = format!("{:02}", exponent.abs()).chars().map(superscript).collect();
        let sign = if exponent < 0 { "\u{207b}" } else { "" };
        return format!("{digits}\u{d7}10{sign}{power}");
    }
    let text = value.to_string();
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", group(whole)),
        None => group(&text),
    }
}

fn superscript(digit: char) -> char {
    match digit {
        '1' => '\u{b9}',
        '2' => '\u{b2}',
        '3' => '\u{b3}',
        '0' => '\u{2070}',
        other => char::from_u32(0x2070 + other as u32 - u32::from(b'0')).unwrap_or(other),
    }
}

fn group(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_prints_them() {
        for (value, text) in [
            (99_999.0, "99,999"),
            (0.1, "0.1"),
            (1234.5678, "1,234.5678"),
            (1e21, "1\u{d7}10\u{b2}\u{b9}"),
            (123_456_789.123, "1.23456789123\u{d7}10\u{2070}\u{2078}"),
            (1e-7, "1\u{d7}10\u{207b}\u{2070}\u{2077}"),
            (-5.0, "-5"),
            (0.000_123, "0.000123"),
            (0.0, "0"),
        ] {
            assert_eq!(float(value), text);
        }
        assert_eq!(integer(12345), "12,345");
    }
}
