//! Format strings.

use memchr::memchr;

use super::{
    LARGEST, TooLarge,
    printer::{Flags, Printer},
};
use crate::Value;

/// Go's bound for a width, a precision or an index that is written as a number.
const TOO_LARGE: usize = 1_000_000;

/// Go's `fmt.Sprintf`.
pub(crate) fn sprintf(out: &mut String, format: &str, arguments: &[Value]) -> Result<(), TooLarge> {
    let mut printer = Printer::new(out, LARGEST);
    let mut state = Directive {
        format,
        arguments,
        at: 0,
        next: 0,
        reordered: false,
        good: true,
        after_index: false,
    };
    while let Some(length) = memchr(b'%', &format.as_bytes()[state.at..]) {
        printer.out.push_str(&format[state.at..state.at + length]);
        state.at += length + 1;
        state.directive(&mut printer);
        if printer.is_full() {
            return Err(TooLarge);
        }
    }
    printer.out.push_str(&format[state.at..]);
    if !state.reordered && state.next < arguments.len() {
        printer.out.push_str("%!(EXTRA ");
        for (number, argument) in arguments[state.next..].iter().enumerate() {
            printer.out.push_str(if number > 0 { ", " } else { "" });
            if !argument.is_nil() {
                printer.out.push_str(&argument.type_of().to_string());
                printer.out.push('=');
            }
            printer.flags = Flags::default();
            printer.argument(argument, 'v');
        }
        printer.out.push(')');
    }
    printer.finish()
}

struct Directive<'f> {
    format: &'f str,
    arguments: &'f [Value],
    /// The byte after what was read.
    at: usize,
    /// The argument that is used next.
    next: usize,
    reordered: bool,
    good: bool,
    after_index: bool,
}

impl Directive<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.as_bytes().get(self.at).copied()
    }

    /// One directive, from behind its percent sign.
    fn directive(&mut self, printer: &mut Printer<'_>) {
        self.good = true;
        self.after_index = false;
        let mut flags = Flags::default();
        // Most have nothing but their verb.
        if !self.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
            flags = self.flags();
            self.index();
            self.width(&mut flags, printer.out);
            self.precision(&mut flags, printer.out);
            if !self.after_index {
                self.index();
            }
        }
        let Some(verb) = self.format[self.at..].chars().next() else {
            printer.out.push_str("%!(NOVERB)");
            return;
        };
        self.at += verb.len_utf8();
        if verb == '%' {
            printer.out.push('%');
        } else if !self.good {
            printer.out.push_str("%!");
            printer.out.push(verb);
            printer.out.push_str("(BADINDEX)");
        } else if let Some(argument) = self.arguments.get(self.next) {
            self.next += 1;
            if matches!(verb, 'v' | 'w') {
                flags.go = std::mem::take(&mut flags.sharp);
                flags.names = std::mem::take(&mut flags.plus);
            }
            printer.flags = flags;
            printer.argument(argument, verb);
        } else {
            printer.out.push_str("%!");
            printer.out.push(verb);
            printer.out.push_str("(MISSING)");
        }
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            match self.peek() {
                Some(b'#') => flags.sharp = true,
                Some(b'0') => flags.zero = true,
                Some(b'+') => flags.plus = true,
                Some(b'-') => flags.minus = true,
                Some(b' ') => flags.space = true,
                _ => return flags,
            }
            self.at += 1;
        }
    }

    fn width(&mut self, flags: &mut Flags, out: &mut String) {
        if self.peek() != Some(b'*') {
            flags.width = self.number();
            if self.after_index && flags.width.is_some() {
                self.good = false;
            }
            return;
        }
        self.at += 1;
        match self.star() {
            Some(width) => {
                if width < 0 {
                    (flags.minus, flags.zero) = (true, false);
                }
                flags.width = usize::try_from(width.unsigned_abs()).ok();
            }
            None => out.push_str("%!(BADWIDTH)"),
        }
        self.after_index = false;
    }

    fn precision(&mut self, flags: &mut Flags, out: &mut String) {
        if self.peek() != Some(b'.') || self.at + 1 >= self.format.len() {
            return;
        }
        self.at += 1;
        if self.after_index {
            self.good = false;
        }
        self.index();
        if self.peek() != Some(b'*') {
            flags.precision = Some(self.number().unwrap_or_default());
            return;
        }
        self.at += 1;
        flags.precision = self.star().and_then(|precision| usize::try_from(precision).ok());
        if flags.precision.is_none() {
            out.push_str("%!(BADPREC)");
        }
        self.after_index = false;
    }

    /// The argument that a star stands for.
    fn star(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        match argument {
            Value::Int(_, value) if value.unsigned_abs() <= TOO_LARGE as u64 => Some(*value),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<usize> {
        let rest = &self.format[self.at..];
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        self.at += length;
        rest[..length].parse().ok().filter(|number| *number <= TOO_LARGE)
    }

    /// `[3]`: the argument by its number from 1.
    fn index(&mut self) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(length) = rest.find(']') else {
            self.good = false;
            self.at += 1;
            return;
        };
        self.at += length + 1;
        let digits = &rest[1..length];
        let number = digits.parse::<usize>().ok().filter(|_| !digits.starts_with('+'));
        match number.filter(|number| (1..=self.arguments.len()).contains(number)) {
            Some(number) => {
                self.next = number - 1;
                self.after_index = true;
            }
            None => {
                self.good = false;
                self.after_index = number.is_some();
            }
        }
    }
}
