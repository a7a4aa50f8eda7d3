//! Numbers: conversions, arithmetic, rounding, sequences.
//!
//! Follows sprig's `numeric.go`; integers wrap around as Go's do.

use super::{decimal::Decimal, random};
use crate::{
    Arguments, CallError, Context, Function,
    funcs::coerce::{display, parse_int, to_float, to_int},
    value::{List, ListKind, Type, Value},
};

const ONE: &[Type] = &[Type::Any];
const TWO: &[Type] = &[Type::Any, Type::Any];

pub(in crate::funcs) const MATH: &[Function] = &[
    Function::new("atoi", &[Type::String], int_of_text),
    Function::new("int64", ONE, to_int64),
    Function::new("int", ONE, int),
    Function::new("float64", ONE, float64),
    Function::new("toDecimal", ONE, to_decimal),
    Function::variadic("seq", &[Type::INT], seq),
    Function::new("until", &[Type::INT], until),
    Function::new("untilStep", &[Type::INT, Type::INT, Type::INT], until_step),
    Function::new("add1", ONE, add1),
    Function::variadic("add", ONE, add),
    Function::new("sub", TWO, sub),
    Function::new("div", TWO, div),
    Function::new("mod", TWO, modulo),
    Function::variadic("mul", TWO, mul),
    Function::new("add1f", ONE, add1f),
    Function::variadic("addf", ONE, addf),
    Function::variadic("subf", TWO, subf),
    Function::variadic("divf", TWO, divf),
    Function::variadic("mulf", TWO, mulf),
    Function::variadic("biggest", TWO, max),
    Function::variadic("max", TWO, max),
    Function::variadic("min", TWO, min),
    Function::variadic("maxf", TWO, maxf),
    Function::variadic("minf", TWO, minf),
    Function::new("ceil", ONE, ceil),
    Function::new("floor", ONE, floor),
    Function::variadic("round", &[Type::Any, Type::INT, Type::Float64], round),
    Function::new("randInt", &[Type::INT, Type::INT], random::rand_int),
];

type Outcome = Result<Value, CallError>;

fn int_of_text(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int(atoi(arguments.text(0))))
}

/// What `strconv.ParseInt` gives, also along with an error.
pub(in crate::funcs) fn atoi(text: &str) -> i64 {
    if let Some(value) = parse_int(text, 10) {
        return value;
    }
    // Go gives the nearest integer for a number that is too large, along with an error.
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let too_large = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match too_large {
        true if text.starts_with('-') => i64::MIN,
        true => i64::MAX,
        false => 0,
    }
}

fn to_int64(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(to_int(arguments.any(0))))
}

fn int(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int(to_int(arguments.any(0))))
}

fn float64(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Float(to_float(arguments.any(0))))
}

/// From octal digits.
fn to_decimal(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(parse_int(&display(arguments.any(0)), 8).unwrap_or(0)))
}

/// How many numbers Go's `untilStep` gives.
fn count(start: i64, stop: i64, step: i64) -> u64 {
    let towards = (stop > start && step > 0) || (stop < start && step < 0);
    if towards { start.abs_diff(stop).div_ceil(step.unsigned_abs()) } else { 0 }
}

fn numbers(start: i64, count: u64, step: i64) -> impl Iterator<Item = i64> {
    std::iter::successors(Some(start), move |last| last.checked_add(step))
        .take(usize::try_from(count).unwrap_or(usize::MAX))
}

fn list_of(context: &mut Context<'_>, start: i64, stop: i64, step: i64) -> Outcome {
    let count = count(start, stop, step);
    context.spend(count / 4, count.saturating_mul(16))?;
    let items = numbers(start, count, step).map(Value::int).collect();
    Ok(Value::List(List::new(ListKind::Int, items)))
}

fn until(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let count = arguments.int(0);
    list_of(context, 0, count, if count < 0 { -1 } else { 1 })
}

fn until_step(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    list_of(context, arguments.int(0), arguments.int(1), arguments.int(2))
}

/// Numbers with their end, separated by spaces; from 1 if no start is given.
fn seq(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let int = |index| arguments.int(index);
    let (start, end, step) = match arguments.all().len() {
        1 => (1, int(0), None),
        2 => (int(0), int(1), None),
        3 => (int(0), int(2), Some(int(1))),
        _ => return Ok(Value::from("")),
    };
    let direction = if end < start { -1 } else { 1 };
    if end < start && step.is_some_and(|step| step > 0) {
        return Ok(Value::from(""));
    }
    let step = step.unwrap_or(direction);
    let count = count(start, end.wrapping_add(direction), step);
    context.spend(count / 4, count.saturating_mul(4))?;
    let mut out = String::new();
    for (number, value) in numbers(start, count, step).enumerate() {
        if number > 0 {
            out.push(' ');
        }
        out.push_str(&value.to_string());
    }
    Ok(Value::from(out))
}

fn add1(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(to_int(arguments.any(0)).wrapping_add(1)))
}

fn add(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(arguments.all().iter().map(to_int).fold(0, i64::wrapping_add)))
}

fn sub(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(to_int(arguments.any(0)).wrapping_sub(to_int(arguments.any(1)))))
}

fn divisor(arguments: Arguments<'_>) -> Result<i64, CallError> {
    match to_int(arguments.any(1)) {
        0 => Err(CallError::new("runtime error: integer divide by zero")),
        divisor => Ok(divisor),
    }
}

fn div(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(to_int(arguments.any(0)).wrapping_div(divisor(arguments)?)))
}

fn modulo(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(to_int(arguments.any(0)).wrapping_rem(divisor(arguments)?)))
}

fn mul(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(arguments.all().iter().map(to_int).fold(1, i64::wrapping_mul)))
}

/// Goes through the numbers as decimals, which is why `addf 0.1 0.2` is `0.3`.
fn decimals(
    first: &Value,
    others: &[Value],
    operation: impl Fn(&Decimal, &Decimal) -> Option<Decimal>,
) -> Outcome {
    let mut result = Decimal::of(to_float(first)).map_err(CallError::new)?;
    for other in others {
        let other = Decimal::of(to_float(other)).map_err(CallError::new)?;
        result =
            operation(&result, &other).ok_or_else(|| CallError::new("decimal division by 0"))?;
    }
    Ok(Value::Float(result.to_float()))
}

fn add1f(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    decimals(arguments.any(0), &[Value::int(1)], |a, b| Some(a.add(b)))
}

fn addf(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    decimals(&Value::Float(0.0), arguments.all(), |a, b| Some(a.add(b)))
}

fn subf(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    decimals(arguments.any(0), arguments.rest(1), |a, b| Some(a.sub(b)))
}

fn divf(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    decimals(arguments.any(0), arguments.rest(1), Decimal::div)
}

fn mulf(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    decimals(arguments.any(0), arguments.rest(1), |a, b| Some(a.mul(b)))
}

fn max(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(arguments.all().iter().map(to_int).max().unwrap_or(0)))
}

fn min(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::int64(arguments.all().iter().map(to_int).min().unwrap_or(0)))
}

/// Go's `math.Max` and `math.Min`: an infinity wins over NaN, NaN over the rest, and 0 differs
/// from -0.
#[expect(clippy::float_cmp, reason = "an infinity is equal to itself alone")]
fn extreme(arguments: Arguments<'_>, winner: f64, first_wins: fn(f64, f64) -> bool) -> Outcome {
    let pick = |a: f64, b: f64| {
        if a == winner || b == winner {
            winner
        } else if a.is_nan() || b.is_nan() {
            f64::NAN
        } else if first_wins(a, b) {
            a
        } else {
            b
        }
    };
    let first = to_float(arguments.any(0));
    Ok(Value::Float(arguments.rest(1).iter().map(to_float).fold(first, pick)))
}

#[expect(clippy::float_cmp, reason = "zeros of both signs are equal")]
fn maxf(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    extreme(arguments, f64::INFINITY, |a, b| a > b || a == b && !a.is_sign_negative())
}

#[expect(clippy::float_cmp, reason = "zeros of both signs are equal")]
fn minf(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    extreme(arguments, f64::NEG_INFINITY, |a, b| a < b || a == b && a.is_sign_negative())
}

fn ceil(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Float(to_float(arguments.any(0)).ceil()))
}

fn floor(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Float(to_float(arguments.any(0)).floor()))
}

/// Rounds up from a fraction on, which is a half unless given.
fn round(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let limit = match arguments.rest(2).first() {
        Some(Value::Float(limit)) => *limit,
        _ => 0.5,
    };
    let power = power_of_ten(arguments.int(1));
    let digits = power * to_float(arguments.any(0));
    let fraction = if digits.is_infinite() { f64::NAN } else { digits.fract() };
    let rounded = if fraction >= limit { digits.ceil() } else { digits.floor() };
    Ok(Value::Float(rounded / power))
}

/// `math.Pow(10, n)`, exact where a float can be.
fn power_of_ten(exponent: i64) -> f64 {
    match exponent {
        ..-323 => 0.0,
        309.. => f64::INFINITY,
        exponent => format!("1e{exponent}").parse().expect("it is a number"),
    }
}
