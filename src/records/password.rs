//! Passwords: what may be one, and how it is kept.
//!
//! Argon2id with 19 MiB and two passes, the least that OWASP's Password Storage Cheat Sheet names.
//!
//! Spec: NIST SP 800-63B-4 section 3.1.1.2

use std::fmt;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use zxcvbn::feedback::Warning;
use zxcvbn::{Score, zxcvbn};

use crate::records::{NotUsable, RecordError};
use crate::store::PasswordHash;

const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// What is compared where there is no password: a hash of random bytes that nobody has.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$mYQhuFOjBuvbk7A+fHuqHQ$Ohh1tdYBd3UDoCsMyHnNH3oPvEKH4DQ8GaZ4AhUdcHA";

/// A password that somebody chose: 8 to 256 characters, whichever, and none that is guessed at once. No log shows it.
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl Password {
    /// `text`, if that may be the password of somebody about whom `about` is known, such as their name and address.
    pub fn chosen(text: &str, about: &[&str]) -> Result<Password, NotUsable> {
        if !LENGTH.contains(&text.chars().count()) {
            return Err(NotUsable("a password has 8 to 256 characters"));
        }
        let is_part = |letter: char| !letter.is_alphanumeric();
        let parts = about.iter().flat_map(|about| about.split(is_part)).filter(|part| part.chars().count() > 2);
        let known: Vec<&str> = about.iter().copied().chain(parts).chain(["emberwell"]).collect();
        let strength = zxcvbn(text, &known);
        // Up to a million guesses: what a list of leaked passwords, or whoever knows the person, comes to soon.
        if strength.score() <= Score::One {
            return Err(NotUsable(remedy(strength.feedback().and_then(|feedback| feedback.warning()))));
        }
        Ok(Password(text.to_owned()))
    }

    /// What is kept of it. Takes some ten milliseconds and 19 MiB, on purpose: never inside a transaction.
    pub fn hash(&self) -> Result<PasswordHash, RecordError> {
        hash(&self.0)
    }
}

/// What is wrong with a password that is guessed soon, and what would be right.
fn remedy(warning: Option<Warning>) -> &'static str {
    match warning {
        Some(Warning::ThisIsATop10Password | Warning::ThisIsATop100Password | Warning::ThisIsACommonPassword) => {
            "this password is one of those that are tried first: choose another, such as three or four words that have nothing \
             to do with each other"
        }
        Some(Warning::ThisIsSimilarToACommonlyUsedPassword) => {
            "this password is much like one of those that are tried first: add a word or two that have nothing to do with it"
        }
        Some(
            Warning::StraightRowsOfKeysAreEasyToGuess
            | Warning::ShortKeyboardPatternsAreEasyToGuess
            | Warning::RepeatsLikeAaaAreEasyToGuess
            | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess
            | Warning::SequencesLikeAbcAreEasyToGuess,
        ) => {
            "repeats, sequences and rows of keys are guessed at once: choose three or four words that have nothing to do with \
             each other"
        }
        Some(Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess) => {
            "dates and years are guessed soon: add a word or two that have nothing to do with them"
        }
        Some(
            Warning::AWordByItselfIsEasyToGuess
            | Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
            | Warning::CommonNamesAndSurnamesAreEasyToGuess,
        )
        | None => {
            "this password is guessed soon, by whoever knows your name and address if not by anybody: add a word or two that \
             have nothing to do with you"
        }
    }
}

/// Whether `text` is the password that `hash` was made of. Without a hash it is not, which takes as long as [`Password::hash`],
/// too.
pub fn verify_password(text: &str, hash: Option<&PasswordHash>) -> bool {
    let Ok(parsed) = phc::PasswordHash::new(hash.map_or(DECOY, |hash| &hash.0)) else { return false };
    // The parameters are those of the hash.
    Argon2::default().verify_password(text.as_bytes(), &parsed).is_ok() && hash.is_some()
}

/// `text` hashed as passwords are today, if `hash`, which was made of it, is weaker than that.
pub fn hash_anew(text: &str, weaker: &PasswordHash) -> Result<Option<PasswordHash>, RecordError> {
    if is_of_today(weaker) { Ok(None) } else { hash(text).map(Some) }
}

fn is_of_today(hash: &PasswordHash) -> bool {
    let Ok(parsed) = phc::PasswordHash::new(&hash.0) else { return false };
    let Ok(params) = Params::try_from(&parsed) else { return false };
    parsed.algorithm.as_str() == "argon2id" && params.m_cost() >= MEMORY_KIB && params.t_cost() >= PASSES
}

fn hash(text: &str) -> Result<PasswordHash, RecordError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(not_hashed)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(text.as_bytes()).map_err(not_hashed)?;
    Ok(PasswordHash(hash.to_string()))
}

fn not_hashed(error: impl fmt::Display) -> RecordError {
    RecordError::PasswordNotHashed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: [&str; 2] = ["Anna Berg", "anna.berg@bramble.example"];

    #[test]
    fn a_password_is_known_again_by_its_hash() {
        let password = Password::chosen("correct horse", &[]).unwrap();
        let (one, other) = (password.hash().unwrap(), password.hash().unwrap());

        assert!(one.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.0);
        assert_ne!(one, other, "each has its own salt");
        assert!(verify_password("correct horse", Some(&one)) && verify_password("correct horse", Some(&other)));
        assert!(!verify_password("correct horse ", Some(&one)));
        assert!(!verify_password("correct horse", Some(&PasswordHash("correct horse".to_owned()))));
        assert!(!verify_password("correct horse", None));
        assert_eq!(format!("{password:?}"), "Password(..)");
    }

    #[test]
    fn characters_are_counted_and_not_bytes() {
        for right in ["fünf Äpfel", &"lila Kuh ".repeat(28)] {
            assert!(Password::chosen(right, &[]).is_ok(), "{right}");
        }
        for wrong in ["", "x7!qW2z", "äöüßéèê", &"lila Kuh ".repeat(29)] {
            assert_eq!(
                Password::chosen(wrong, &[]).unwrap_err().to_string(),
                "a password has 8 to 256 characters",
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_is_guessed_soon_is_refused_with_a_remedy() {
        let table = [
            ("password", "tried first"),
            ("Password1", "tried first"),
            ("12345678", "tried first"),
            ("iloveyou", "tried first"),
            ("aaaaaaaaaaaa", "repeats"),
            ("annaberg", "nothing to do with you"),
            ("bramble1", "nothing to do with you"),
            ("Emberwell1", "nothing to do with you"),
        ];
        for (wrong, reason) in table {
            let refused =
                Password::chosen(wrong, &ANNA).err().unwrap_or_else(|| panic!("{wrong} is let through")).to_string();
            assert!(refused.contains(reason), "{wrong}: {refused}");
        }
        for right in ["wicker tarpaulin", "Tr0ub4dour&3", "anna likes walnuts", "q7$kd02Lp"] {
            assert!(Password::chosen(right, &ANNA).is_ok(), "{right}");
        }
    }

    #[test]
    fn a_weaker_hash_is_made_anew() {
        let weaker = |algorithm, memory_kib, passes| {
            let params = Params::new(memory_kib, passes, 1, None).unwrap();
            let argon2 = Argon2::new(algorithm, Version::V0x13, params);
            PasswordHash(argon2.hash_password(b"wicker tarpaulin").unwrap().to_string())
        };
        for weak in [
            weaker(Algorithm::Argon2id, 1024, 2),
            weaker(Algorithm::Argon2id, MEMORY_KIB, 1),
            weaker(Algorithm::Argon2i, MEMORY_KIB, 2),
        ] {
            assert!(verify_password("wicker tarpaulin", Some(&weak)), "{}", weak.0);
            let anew = hash_anew("wicker tarpaulin", &weak).unwrap().unwrap();
            assert!(verify_password("wicker tarpaulin", Some(&anew)) && is_of_today(&anew));
        }
        assert_eq!(hash_anew("wicker tarpaulin", &hash("wicker tarpaulin").unwrap()).unwrap(), None);
    }

    #[test]
    fn the_decoy_takes_as_long_as_a_password_of_today() {
        let decoy = PasswordHash(DECOY.to_owned());

        assert!(is_of_today(&decoy));
        let (decoy, real) = (phc::PasswordHash::new(DECOY).unwrap(), hash("wicker tarpaulin").unwrap());
        let real = phc::PasswordHash::new(&real.0).unwrap();
        assert_eq!((decoy.params, decoy.algorithm, decoy.version), (real.params, real.algorithm, real.version));
        assert_eq!(decoy.hash.unwrap().as_bytes().len(), real.hash.unwrap().as_bytes().len());
    }
}
