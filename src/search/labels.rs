//! The security labels that keep a resource from callers, and those of them that a resource bears.
//!
//! Spec: R4 security-labels.html

use serde_json::Value;

use crate::search::Sensitivity;
use crate::search::fold::fold_code;

/// The system of this server's own security labels.
pub const LABEL_SYSTEM: &str = "https://emberwell.example/CodeSystem/security-label";
/// The label of an item that no app sees, and no person but the custodians.
pub const PERSONAL: &str = "personal";
/// The label of what an app keeps: a Basic that is seen by apps whose scopes name its code alone, and by the custodians.
pub const APP_STATE: &str = "app-state";
/// The system of the confidentiality labels.
pub const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

/// The labels in the order of their bits, by system and code. Never changed but by a migration, since rows hold the bits.
const LABELS: [(&str, &str); 4] =
    [(LABEL_SYSTEM, PERSONAL), (CONFIDENTIALITY, "R"), (CONFIDENTIALITY, "V"), (LABEL_SYSTEM, APP_STATE)];

/// Some of these labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelSet(i16);

impl LabelSet {
    /// All of them.
    pub const ALL: LabelSet = LabelSet((1 << LABELS.len()) - 1);

    /// Those that a resource bears. Codes are compared as in the index, without regard to case: a label that is written in another
    /// one was meant to be one.
    pub fn of(resource: &Value) -> LabelSet {
        let labels = resource.pointer("/meta/security").and_then(Value::as_array);
        LabelSet::that(|system, code| {
            labels.into_iter().flatten().any(|label| {
                let text = |name: &str| label.get(name).and_then(Value::as_str);
                text("system") == Some(system) && text("code").is_some_and(|own| fold_code(own) == fold_code(code))
            })
        })
    }

    /// Whether it is what an app keeps.
    pub fn is_state(self) -> bool {
        self.0 & 1 << (LABELS.len() - 1) != 0
    }

    /// Those that the column `labels` has.
    pub fn of_bits(bits: i16) -> LabelSet {
        LabelSet(bits)
    }

    /// Those of what is more sensitive than may be seen.
    pub fn beyond(sees: Sensitivity) -> LabelSet {
        LabelSet::that(|system, code| match (system, code) {
            (LABEL_SYSTEM, PERSONAL) => !sees.personal,
            (LABEL_SYSTEM, _) => !sees.app_state,
            (_, "R") => !sees.restricted,
            _ => !sees.very_restricted,
        })
    }

    fn that(is_in: impl Fn(&str, &str) -> bool) -> LabelSet {
        let labels = LABELS.iter().enumerate().filter(|(_, (system, code))| is_in(system, code));
        LabelSet(labels.fold(0, |bits, (place, _)| bits | 1 << place))
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one is in both.
    pub fn meets(self, other: LabelSet) -> bool {
        self.0 & other.0 != 0
    }

    /// How many there are.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// As the column `labels` has them.
    pub fn bits(self) -> i16 {
        self.0
    }

    /// The values of the column in which there is none of them, in ascending order.
    pub(super) fn free(self) -> impl Iterator<Item = i16> {
        (0..1 << LABELS.len()).filter(move |bits| bits & self.0 == 0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_bears_what_it_says_in_whatever_case() {
        let of = |security: Value| LabelSet::of(&json!({ "meta": { "security": security } }));
        assert!(of(json!([])).is_empty() && LabelSet::of(&json!({})).is_empty());
        let personal = of(json!([{ "system": LABEL_SYSTEM, "code": "Personal" }]));
        assert_eq!((personal.bits(), personal.len()), (1, 1));
        let both = of(json!([{ "system": CONFIDENTIALITY, "code": "v" }, { "system": CONFIDENTIALITY, "code": "R" }]));
        assert_eq!((both.bits(), both.len()), (6, 2));
        assert!(of(json!([{ "system": "http://else.where", "code": "R" }, { "code": "personal" }])).is_empty());
    }

    #[test]
    fn what_is_beyond_is_free_of_what_may_be_seen() {
        let restricted = LabelSet::beyond(Sensitivity { restricted: true, ..Sensitivity::NORMAL });
        assert_eq!(restricted.free().collect::<Vec<_>>(), [0, 2]);
        let state = LabelSet::beyond(Sensitivity { app_state: true, ..Sensitivity::NORMAL });
        assert_eq!(state.free().collect::<Vec<_>>(), [0, 8]);
        assert!(!restricted.meets(LabelSet(2)) && restricted.meets(LabelSet(3)));
        assert!(LabelSet::beyond(Sensitivity::ALL).is_empty());
        assert_eq!(LabelSet::beyond(Sensitivity::NORMAL), LabelSet::ALL);
        assert_eq!(LabelSet::ALL.free().collect::<Vec<_>>(), [0]);
    }
}
