//! What happened with an account, and when, as people read it.

use std::fmt;

use chrono::DateTime;

use crate::store::{Happened, Happening};
use crate::web::account::device;

/// A moment as people read it, and as a machine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub shown: String,
    pub machine: String,
}

impl Moment {
    /// Of microseconds since 1970.
    pub fn of(us: i64) -> Moment {
        let moment = DateTime::from_timestamp_micros(us).unwrap_or_default();
        Moment {
            shown: moment.format("%-d %B %Y, %H:%M UTC").to_string(),
            machine: moment.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

/// The text of an error as a sentence.
pub fn sentence(error: impl fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// A line of the list of what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub when: Moment,
    pub what: String,
    /// From where: browser and address.
    pub from: String,
}

/// What happened, in a line.
pub fn line(happened: &Happened) -> Line {
    let detail = happened.detail.as_deref().unwrap_or_default();
    let what = match happened.what {
        Happening::SignedIn => "You signed in".to_owned(),
        Happening::SignedInOnNewDevice => "You signed in with a browser that was not seen before".to_owned(),
        Happening::SignInRefused => "A sign-in was refused".to_owned(),
        Happening::SecondFactorRefused => "The password was right, and the code was refused".to_owned(),
        Happening::PasswordChanged => "The password was changed".to_owned(),
        Happening::PasskeyAdded => format!("The passkey “{detail}” was added"),
        Happening::PasskeyRemoved => format!("The passkey “{detail}” was removed"),
        Happening::AuthenticatorOn => "An authenticator app was set up".to_owned(),
        Happening::AuthenticatorOff => "The authenticator app was removed".to_owned(),
        Happening::RecoveryCodesMade => "New recovery codes were made".to_owned(),
        Happening::RecoveryCodeUsed => "A recovery code was used".to_owned(),
        Happening::SessionEnded => "A session was ended".to_owned(),
        Happening::OthersEnded => "All other sessions were ended".to_owned(),
        Happening::PasswordSetByOperator => "An operator of this server set another password".to_owned(),
        Happening::AccountMade => "The account was made".to_owned(),
        Happening::ProviderLinked => format!("Sign-in by “{detail}” was linked"),
        Happening::ProviderUnlinked => format!("Sign-in by “{detail}” was unlinked"),
    };
    let browser = happened.agent.as_deref().map(device::name);
    let from = browser.into_iter().chain(happened.address.clone()).collect::<Vec<_>>().join(", ");
    Line { when: Moment::of(happened.at_us), what, from }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_sentence() {
        assert_eq!(sentence("there is no account"), "There is no account.");
        assert_eq!(sentence("'x' is none."), "'x' is none.");
    }

    #[test]
    fn a_line_says_what_when_and_from_where() {
        let happened = Happened {
            at_us: 1_795_912_860_000_000,
            what: Happening::PasskeyAdded,
            detail: Some("Phone".to_owned()),
            address: Some("192.0.2.1".to_owned()),
            agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
        };

        let line = line(&happened);

        assert_eq!(
            (line.what.as_str(), line.from.as_str()),
            ("The passkey “Phone” was added", "Firefox on Linux, 192.0.2.1")
        );
        assert_eq!(line.when.shown, "29 November 2026, 00:41 UTC");
        assert_eq!(line.when.machine, "2026-11-29T00:41:00Z");
    }
}
