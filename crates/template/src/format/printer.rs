//! One value with one verb. Follows Go's `fmt/print.go` and `fmt/format.go`.

use crate::{
    quote::{is_printable, quoted_with},
    value::{IntKind, Kind, List, Map, Object, Value, bytes::to_bytes},
};

use super::{
    TooLarge,
    float::{Style, float},
};

/// Values within each other; a map may hold itself.
const DEEPEST: u32 = 100;

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent flags")]
pub(super) struct Flags {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    /// `%#v`
    pub(super) go: bool,
    /// `%+v`
    pub(super) names: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

pub(super) struct Printer<'o> {
    pub(super) out: &'o mut String,
    pub(super) flags: Flags,
    /// How long the text may become.
    room: usize,
    /// Within a complaint about a verb, where no value says of itself what it is.
    complains: bool,
}

impl<'o> Printer<'o> {
    /// Prints at most `bytes` bytes, and a little more, behind a text.
    pub(super) fn new(out: &'o mut String, bytes: usize) -> Self {
        let room = out.len() + bytes;
        Self { out, flags: Flags::default(), room, complains: false }
    }

    pub(super) fn is_full(&self) -> bool {
        self.out.len() > self.room
    }

    pub(super) fn finish(self) -> Result<(), TooLarge> {
        if self.is_full() { Err(TooLarge) } else { Ok(()) }
    }

    /// An argument of `printf`.
    pub(super) fn argument(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad("<nil>"),
            (Value::Nil, _) => self.bad_verb(value, verb),
            (_, 'w') => self.bad_verb(value, verb),
            (_, 'T') => self.string(&value.type_of().to_string(), 's', value),
            _ => self.value(value, verb, 0),
        }
    }

    /// What a pointer leads to, or the value itself, with `%v`.
    pub(super) fn behind_pointer(&mut self, value: &Value) {
        match value {
            Value::Object(object) if object.kind() == Kind::Pointer && object.text().is_none() => {
                self.fields(&**object, 'v', 0);
            }
            _ => self.argument(value, 'v'),
        }
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.out.push_str("%!");
        self.out.push(verb);
        self.out.push('(');
        if value.is_nil() {
            self.out.push_str("<nil>");
        } else {
            self.out.push_str(&value.type_of().to_string());
            self.out.push('=');
            let before = std::mem::replace(&mut self.complains, true);
            self.value(value, 'v', 0);
            self.complains = before;
        }
        self.out.push(')');
    }

    fn value(&mut self, value: &Value, verb: char, depth: u32) {
        if self.is_full() {
            return;
        }
        if depth > DEEPEST {
            self.out.push_str("...");
            return;
        }
        match value {
            // Within others, nil is printed whatever the verb.
            Value::Nil => {
                self.out.push_str(if self.flags.go { "interface {}(nil)" } else { "<nil>" });
            }
            Value::Bool(flag) if matches!(verb, 't' | 'v') => {
                self.pad(if *flag { "true" } else { "false" });
            }
            Value::Bool(_) => self.bad_verb(value, verb),
            Value::Int(kind, bits) => self.integer(value, *kind, *bits, verb),
            Value::Float(number) => self.float(value, *number, verb),
            Value::Complex(parts) => self.complex(value, **parts, verb),
            Value::Str(text) => self.string(text, verb, value),
            Value::Bytes(bytes) => self.bytes(value, bytes, verb, depth),
            Value::List(list) => self.list(list, verb, depth),
            Value::Map(map) => self.map(map, map.kind().name(), verb, depth),
            Value::Object(object) => self.object(&**object, value, verb, depth),
        }
    }

    fn list(&mut self, list: &List, verb: char, depth: u32) {
        let (open, between, close) = self.brackets(list.kind().name(), "[", "]");
        if self.flags.go && list.is_nil() {
            self.out.push_str(list.kind().name());
            self.out.push_str("(nil)");
            return;
        }
        self.out.push_str(&open);
        for (number, item) in list.items().iter().enumerate() {
            self.out.push_str(if number > 0 { between } else { "" });
            self.value(item, verb, depth + 1);
        }
        self.out.push_str(close);
    }

    fn map(&mut self, map: &Map, type_name: &str, verb: char, depth: u32) {
        let (open, between, close) = self.brackets(type_name, "map[", "]");
        if self.flags.go && map.is_nil() {
            self.out.push_str(type_name);
            self.out.push_str("(nil)");
            return;
        }
        self.out.push_str(&open);
        for (number, (key, item)) in map.snapshot().iter().enumerate() {
            self.out.push_str(if number > 0 { between } else { "" });
            self.string(key, verb, &Value::Str(key.clone()));
            self.out.push(':');
            self.value(item, verb, depth + 1);
        }
        self.out.push_str(close);
    }

    fn brackets(
        &self,
        type_name: &str,
        open: &str,
        close: &'static str,
    ) -> (String, &'static str, &'static str) {
        if self.flags.go {
            (format!("{type_name}{{"), ", ", "}")
        } else {
            (open.to_owned(), " ", close)
        }
    }

    fn object(&mut self, object: &dyn Object, value: &Value, verb: char, depth: u32) {
        if !self.complains
            && !self.flags.go
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && let Some(text) = object.text()
        {
            return self.string(&text, verb, value);
        }
        if let Some((kind, bits)) = object.integer() {
            return self.integer(value, kind, bits, verb);
        }
        match object.kind() {
            Kind::Slice => self.list(
                &object.list().unwrap_or_else(|| List::nil(crate::ListKind::Any)),
                verb,
                depth,
            ),
            Kind::Map => {
                let map = object.map().unwrap_or_default();
                self.map(&map, object.type_name(), verb, depth);
            }
            kind => {
                if kind == Kind::Pointer {
                    self.out.push('&');
                }
                if self.flags.go {
                    self.out.push_str(object.type_name().trim_start_matches('*'));
                }
                self.fields(object, verb, depth);
            }
        }
    }

    fn fields(&mut self, object: &dyn Object, verb: char, depth: u32) {
        self.out.push('{');
        for (number, field) in object.fields().iter().enumerate() {
            let between = if self.flags.go { ", " } else { " " };
            self.out.push_str(if number > 0 { between } else { "" });
            if self.flags.go || self.flags.names {
                self.out.push_str(field.name);
                self.out.push(':');
            }
            self.value(&field.value, verb, depth + 1);
        }
        self.out.push('}');
    }

    fn string(&mut self, text: &str, verb: char, value: &Value) {
        match verb {
            'v' if self.flags.go => self.quoted(text),
            'v' | 's' => {
                let text = self.truncated(text);
                self.pad(text);
            }
            'q' => self.quoted(text),
            'x' | 'X' => self.hexadecimal(&to_bytes(text), verb == 'X'),
            _ => self.bad_verb(value, verb),
        }
    }

    fn bytes(&mut self, value: &Value, bytes: &[u8], verb: char, depth: u32) {
        match verb {
            's' | 'q' => {
                let text = crate::value::bytes::from_bytes(bytes).into_owned();
                self.string(&text, verb, value);
            }
            'x' | 'X' => self.hexadecimal(bytes, verb == 'X'),
            'v' if self.flags.go => {
                let items: Vec<String> = bytes.iter().map(|byte| format!("{byte:#x}")).collect();
                // Go's shorthand is for arguments; within others it names the type.
                let open = if depth == 0 { "[]byte{" } else { "[]uint8{" };
                self.out.extend([open, &items.join(", "), "}"]);
            }
            _ => {
                if let Some(list) = value.as_list() {
                    self.list(&list, verb, 0);
                }
            }
        }
    }

    fn truncated<'t>(&self, text: &'t str) -> &'t str {
        match self.flags.precision {
            Some(count) => match text.char_indices().nth(count) {
                Some((end, _)) => &text[..end],
                None => text,
            },
            None => text,
        }
    }

    fn quoted(&mut self, text: &str) {
        let text = self.truncated(text).to_owned();
        let raw = |char| {
            char == '\t' || (char >= ' ' && char != '`' && char != '\u{7f}' && char != '\u{feff}')
        };
        if self.flags.sharp && text.chars().all(raw) {
            self.pad(&format!("`{text}`"));
        } else {
            self.pad(&quoted_with(&text, '"', self.flags.plus));
        }
    }

    fn hexadecimal(&mut self, bytes: &[u8], upper: bool) {
        use std::fmt::Write;
        let bytes = &bytes[..self.flags.precision.unwrap_or(usize::MAX).min(bytes.len())];
        let prefix = match (self.flags.sharp, upper) {
            (true, true) => "0X",
            (true, false) => "0x",
            _ => "",
        };
        let mut text = String::with_capacity(bytes.len() * 2 + 2);
        for (number, byte) in bytes.iter().enumerate() {
            if number > 0 && self.flags.space {
                text.push(' ');
            }
            if number == 0 || self.flags.space {
                text.push_str(prefix);
            }
            let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
        }
        self.pad(&text);
    }

    fn integer(&mut self, value: &Value, kind: IntKind, bits: i64, verb: char) {
        let negative = !kind.is_unsigned() && bits < 0;
        let magnitude = if negative { bits.unsigned_abs() } else { bits.cast_unsigned() };
        if matches!(verb, 'v' | 'd') && self.is_plain() {
            self.out.push_str(if negative { "-" } else { "" });
            self.out.push_str(itoa::Buffer::new().format(magnitude));
            return;
        }
        let sharp = self.flags.sharp;
        let (digits, prefix) = match verb {
            'v' if self.flags.go && kind.is_unsigned() => (format!("{magnitude:x}"), "0x"),
            'v' | 'd' => (magnitude.to_string(), ""),
            'b' => (format!("{magnitude:b}"), if sharp { "0b" } else { "" }),
            'o' => (format!("{magnitude:o}"), if sharp { "0" } else { "" }),
            'O' => (format!("{magnitude:o}"), "0o"),
            'x' => (format!("{magnitude:x}"), if sharp { "0x" } else { "" }),
            'X' => (format!("{magnitude:X}"), if sharp { "0X" } else { "" }),
            'c' => return self.character(bits.cast_unsigned(), false),
            'q' => return self.character(bits.cast_unsigned(), true),
            'U' => return self.code_point(bits.cast_unsigned()),
            _ => return self.bad_verb(value, verb),
        };
        self.digits(negative, digits, prefix);
    }

    fn digits(&mut self, negative: bool, mut digits: String, prefix: &str) {
        let sign = match (negative, self.flags.plus, self.flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let least = match self.flags {
            Flags { precision: Some(0), .. } if digits == "0" => {
                return self.fill(' ', self.flags.width.unwrap_or_default());
            }
            Flags { precision: Some(precision), .. } => precision,
            Flags { zero: true, minus: false, width: Some(width), .. } => {
                width.saturating_sub(sign.len())
            }
            _ => 0,
        };
        if digits.len() < least {
            digits.insert_str(0, &"0".repeat(least - digits.len()));
        }
        let prefix = if prefix == "0" && digits.starts_with('0') { "" } else { prefix };
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(&format!("{sign}{prefix}{digits}"));
        self.flags.zero = zero;
    }

    fn character(&mut self, code: u64, quote: bool) {
        let char = u32::try_from(code).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
        if quote {
            let text = quoted_with(&char.to_string(), '\'', self.flags.plus);
            self.pad(&text);
        } else {
            self.pad(char.encode_utf8(&mut [0; 4]));
        }
    }

    fn code_point(&mut self, code: u64) {
        let digits = self.flags.precision.unwrap_or_default().max(4);
        let mut text = format!("U+{code:0digits$X}");
        let char = u32::try_from(code).ok().and_then(char::from_u32);
        if let Some(char) = char.filter(|char| self.flags.sharp && is_printable(*char)) {
            text.extend([' ', '\'', char, '\'']);
        }
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(&text);
        self.flags.zero = zero;
    }

    fn float(&mut self, value: &Value, number: f64, verb: char) {
        if let (Some(whole), 'v' | 'g', true) = (small_whole(number), verb, self.is_plain()) {
            self.out.push_str(itoa::Buffer::new().format(whole));
            return;
        }
        let text = match verb {
            'v' | 'g' | 'G' => float(number, Style::General, self.flags.precision),
            'e' | 'E' => float(number, Style::Exponent, Some(self.flags.precision.unwrap_or(6))),
            'f' | 'F' => float(number, Style::Fixed, Some(self.flags.precision.unwrap_or(6))),
            'x' | 'X' => float(number, Style::Hexadecimal, self.flags.precision),
            'b' => binary(number),
            _ => return self.bad_verb(value, verb),
        };
        let text = if matches!(verb, 'G' | 'E' | 'X') { text.to_uppercase() } else { text };
        let (sign, mut text) = match text.as_bytes()[0] {
            b'-' => ("-", text[1..].to_owned()),
            b'+' => ("+", text[1..].to_owned()),
            _ => ("+", text),
        };
        let sign = if self.flags.space && sign == "+" && !self.flags.plus { " " } else { sign };
        if !number.is_finite() {
            let zero = std::mem::take(&mut self.flags.zero);
            let bare = (number.is_nan() || sign == "+") && !self.flags.space && !self.flags.plus;
            // An infinity keeps its plus.
            let bare = bare && number.is_nan();
            let infinite = !number.is_nan() && sign == "+" && !self.flags.plus && !self.flags.space;
            let sign = if bare {
                ""
            } else if infinite {
                "+"
            } else {
                sign
            };
            self.pad(&format!("{sign}{text}"));
            self.flags.zero = zero;
            return;
        }
        if self.flags.sharp && verb != 'b' {
            text = self.with_point(&text, verb);
        }
        if !self.flags.plus && sign == "+" {
            return self.pad(&text);
        }
        if let Flags { zero: true, minus: false, width: Some(width), .. } = self.flags
            && width > text.len() + 1
        {
            self.out.push_str(sign);
            self.fill('0', width - text.len() - 1);
            self.out.push_str(&text);
            return;
        }
        self.pad(&format!("{sign}{text}"));
    }

    /// `#` keeps the point and the zeros behind it.
    fn with_point(&self, text: &str, verb: char) -> String {
        let exponent = if matches!(verb, 'x' | 'X') { ['p', 'P'] } else { ['e', 'E'] };
        let (mantissa, tail) = text.split_at(text.find(exponent).unwrap_or(text.len()));
        let mut digits = match verb {
            'v' | 'g' | 'G' | 'x' => self.flags.precision.unwrap_or(6),
            _ => 0,
        };
        let significant =
            mantissa.trim_start_matches(['0', '.']).chars().filter(|char| *char != '.');
        digits = digits.saturating_sub(significant.count());
        let mut out = mantissa.to_owned();
        if !mantissa.contains('.') {
            digits = digits.saturating_sub(usize::from(mantissa == "0"));
            out.push('.');
        }
        out.extend(std::iter::repeat_n('0', digits));
        out + tail
    }

    fn complex(&mut self, value: &Value, (real, imaginary): (f64, f64), verb: char) {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad_verb(value, verb);
        }
        let plus = self.flags.plus;
        self.out.push('(');
        self.float(value, real, verb);
        self.flags.plus = true;
        self.float(value, imaginary, verb);
        self.out.push_str("i)");
        self.flags.plus = plus;
    }

    /// Whether nothing stands between `%` and the verb.
    fn is_plain(&self) -> bool {
        self.flags == Flags::default()
    }

    fn pad(&mut self, text: &str) {
        let missing = match self.flags.width {
            Some(width) => width.saturating_sub(text.chars().count()),
            None => 0,
        };
        if missing == 0 {
            self.out.push_str(text);
        } else if self.flags.minus {
            self.out.push_str(text);
            self.fill(' ', missing);
        } else {
            self.fill(if self.flags.zero { '0' } else { ' ' }, missing);
            self.out.push_str(text);
        }
    }

    fn fill(&mut self, char: char, count: usize) {
        self.out.extend(std::iter::repeat_n(char, count));
    }
}

/// A number that has no more than digits, not even an exponent.
fn small_whole(number: f64) -> Option<i32> {
    const LEAST_EXPONENT: f64 = 1e6;
    #[expect(clippy::cast_possible_truncation, reason = "it is small, and compared")]
    let whole = number as i32;
    // Minus zero has other bits.
    let same = f64::from(whole).to_bits() == number.to_bits();
    (same && number.abs() < LEAST_EXPONENT).then_some(whole)
}

/// `%b`: the mantissa as an integer and a power of two.
fn binary(number: f64) -> String {
    let bits = number.to_bits();
    let sign = if number.is_sign_negative() { "-" } else { "" };
    let raw = i64::try_from((bits >> 52) & 0x7ff).unwrap_or_default();
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, power) =
        if raw == 0 { (fraction, -1074) } else { (fraction | (1 << 52), raw - 1075) };
    format!("{sign}{mantissa}p{power:+}")
}
