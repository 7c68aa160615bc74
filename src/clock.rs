//! The only place that asks the machine what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in microseconds since 1970-01-01T00:00:00Z, cut to whole milliseconds: the precision in which FHIR instants go out.
#[allow(clippy::disallowed_methods, reason = "this is the place")]
pub fn now_us() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX / 1000) * 1000
}
