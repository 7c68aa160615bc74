//! Which texts of tokens are in the database for certain, so that a write doesn't tell them again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::store::rows::TokenText;

/// Above so many, all are forgotten: some parameters have a text of its own in each resource.
const MOST: usize = 500_000;

/// The texts that a commit has put into the database; by parameter and code.
#[derive(Default)]
pub(super) struct KnownTexts(Mutex<HashSet<(i16, i64)>>);

impl KnownTexts {
    /// Leaves those in `texts` that may not be in the database yet, and notes them in `told`.
    pub(super) fn keep_unknown(&self, texts: &mut Vec<TokenText>, told: &mut Vec<(i16, i64)>) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.retain(|text| !known.contains(&(text.param, text.code)));
        told.extend(texts.iter().map(|text| (text.param, text.code)));
    }

    /// Takes note of texts that a commit made last.
    pub(super) fn learn(&self, told: Vec<(i16, i64)>) {
        if told.is_empty() {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + told.len() > MOST {
            known.clear();
        }
        known.extend(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_learnt_is_left_out() {
        let known = KnownTexts::default();
        let text = |code| TokenText { param: 1, code, text: "a".to_owned() };
        known.learn(vec![(1, 5)]);

        let (mut texts, mut told) = (vec![text(5), text(6)], Vec::new());
        known.keep_unknown(&mut texts, &mut told);

        assert_eq!((texts, told), (vec![text(6)], vec![(1, 6)]));
    }
}
