//! Servers that have too much to do, and say when they want to be asked again.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{
    Response, StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};

use crate::SourceError;

/// No server keeps us away for longer.
const LONGEST: Duration = Duration::from_hours(1);

/// What an answer asks of those who come again; to be taken before its body is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedPause(Option<Duration>);

impl AskedPause {
    /// `Retry-After` of an answer 429 or 503 (RFC 9110, 10.2.3): seconds, or a date, which counts
    /// from the date of the answer itself.
    pub(crate) fn of(response: &Response) -> Self {
        Self(match response.status() {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                read(response.headers())
            }
            _ => None,
        })
    }

    /// The error that the answer is.
    pub(crate) fn error(self, message: impl Into<Box<str>>) -> SourceError {
        match self.0 {
            Some(pause) => SourceError::Overloaded { message: message.into(), pause },
            None => SourceError::network(message),
        }
    }
}

fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => LONGEST,
        Err(_) => {
            let parse = |text| DateTimeParser::new().parse_timestamp(text).ok();
            let now = parse(headers.get(DATE)?.to_str().ok()?)?;
            // A date in the past asks for nothing.
            Duration::try_from(parse(text)?.duration_since(now)).unwrap_or_default()
        }
    };
    Some(pause.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        read(&headers).map(|pause| pause.as_secs())
    }

    #[test]
    fn seconds_and_dates() {
        const NOW: Option<&str> = Some("Sat, 21 Nov 2026 14:00:00 GMT");
        assert_eq!(pause("0", None), Some(0));
        assert_eq!(pause(" 120 ", None), Some(120));
        assert_eq!(pause("Sat, 21 Nov 2026 14:02:30 GMT", NOW), Some(150));
        assert_eq!(pause("Fri, 20 Nov 2026 14:02:30 GMT", NOW), Some(0));
        // Nobody is kept away for ever.
        for endless in ["86400", "18446744073709551615", "99999999999999999999999"] {
            assert_eq!(pause(endless, None), Some(3600), "{endless}");
        }
        assert_eq!(pause("21 Nov 9999 14:02:30 GMT", NOW), Some(3600));
        for nonsense in ["", "-1", "soon", "1.5", "Sat, 21 Nov 2026 14:02:30 GMT"] {
            assert_eq!(pause(nonsense, None), None, "{nonsense}");
        }
    }
}
