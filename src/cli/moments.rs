//! Moments on the command line.

use jiff::Timestamp;

use crate::schema::duration_secs;
use crate::serve::clock::moment;

/// `2h` ago, `2026-11-25`, or a moment with its offset → microseconds since 1970.
pub(super) fn time(text: &str) -> Result<i64, String> {
    let ago = duration_secs(text).and_then(|secs| i64::try_from(secs).ok()?.checked_mul(1_000_000));
    if let Some(ago) = ago {
        return Ok(Timestamp::now().as_microsecond().saturating_sub(ago));
    }
    if let Ok(day) = format!("{text}T00:00:00Z").parse::<Timestamp>() {
        return Ok(day.as_microsecond());
    }
    let read = moment(text).map(Timestamp::as_microsecond);
    read.map_err(|_| {
        format!("`{text}` is no time: write how long ago (2h), a date (2026-11-25, UTC) or a moment (2026-11-25T07:30:00+01:00)")
    })
}
