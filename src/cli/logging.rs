//! The log: to stderr, as lines for people or as JSON. Nothing about a person ever goes into it.

use tracing_subscriber::EnvFilter;

/// Each request has a line at `info` under the name `access`; those that went well are left out by default, because
/// writing them would cost a good part of what a read costs. What the HTTP library tells of its threads is left out, too.
/// `EMBERWELL_LOG=info` shows both.
const DEFAULT_FILTER: &str = "info,access=warn,actix_server=warn";

/// Starts the log; `EMBERWELL_LOG` says what goes into it, such as `debug` or `warn,access=info`.
pub(super) fn start(as_json: bool) {
    let wanted = std::env::var("EMBERWELL_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    let filter = EnvFilter::try_new(&wanted).unwrap_or_else(|_| {
        eprintln!("emberwell: EMBERWELL_LOG is not understood; using {DEFAULT_FILTER}");
        EnvFilter::new(DEFAULT_FILTER)
    });
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if as_json {
        lines.json().flatten_event(true).init();
    } else {
        lines.with_ansi(false).init();
    }
}
