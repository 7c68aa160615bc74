//! The rules of a Consent: what it denies while it is in force, and what it excepts from that.
//!
//! A provision stands within another as an exception to it. So something is denied where a provision that denies applies, with all that
//! it stands in, and none of the provisions within it that permit does: each provision that denies is a branch of its own. What is not
//! understood makes a denial wider and an exception void (docs/decisions/0043).
//!
//! Spec: R4 consent.html; IHE Privacy Consent on FHIR

use serde_json::Value;

use crate::fhir::{PartialDate, Reference, Resource, ResourceType};
use crate::search::extract::references::patient;
use crate::search::extract::{ExtractError, MAX_CONSENT_RULES};
use crate::search::fold::fold_code;
use crate::search::labels::CONFIDENTIALITY;
use crate::search::party::{actor_of_client, actor_of_user};
use crate::search::{ExtractContext, Use};
use crate::store::ConsentRow;

const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";
/// Whose accounts say who they are.
const PEOPLE: [&str; 4] = ["Patient", "Practitioner", "PractitionerRole", "RelatedPerson"];
/// Who is named in these roles is not whoever asks, but where the information comes from.
const SOURCES: [&str; 3] = ["aut", "cst", "inf"];
/// What a provision may ask besides, of which nothing is known here when somebody asks.
const UNKNOWN: [&str; 4] = ["code", "dataPeriod", "modifierExtension", "purpose"];
const BOTH: i16 = Use::Read as i16 | Use::Write as i16;

/// The rules of `resource`, if it is a Consent that is in force.
pub(super) fn rules(resource: &Resource, context: &ExtractContext<'_>) -> Result<Vec<ConsentRow>, ExtractError> {
    let consent = &resource.value;
    let is_in_force = resource.resource_type.name() == "Consent"
        && consent["status"] == "active"
        && codings(&consent["scope"]).any(|coding| is_code(coding, "patient-privacy"));
    let whose = patient(consent["patient"]["reference"].as_str(), context).filter(|_| is_in_force);
    let Some(patient) = whose else { return Ok(Vec::new()) };
    let mut rules = Rules { context, patient, branches: 0, rows: Vec::new() };
    if ["implicitRules", "modifierExtension"].iter().any(|name| consent.get(name).is_some()) {
        // It may mean anything.
        rules.add(&Scope::ALL, false)?;
    } else {
        let root = &consent["provision"];
        let denies = match root["type"].as_str() {
            Some(effect) => effect != "permit",
            None => {
                !codings(&consent["policyRule"]).any(|coding| coding["code"] == "OPTIN" || coding["code"] == "OPTINR")
            }
        };
        rules.provision(root, denies, &Scope::ALL)?;
    }
    Ok(rules.rows)
}

/// The rules found so far.
struct Rules<'a> {
    context: &'a ExtractContext<'a>,
    patient: i64,
    /// How many provisions deny.
    branches: i16,
    rows: Vec<ConsentRow>,
}

/// What a provision applies to; `None` is anything of its kind.
#[derive(Clone)]
struct Scope {
    actors: Option<Vec<i64>>,
    types: Option<Vec<i16>>,
    items: Option<Vec<i64>>,
    /// Code and system.
    labels: Option<Vec<(i64, i64)>>,
    ceiling: i16,
    rights: i16,
    from_us: i64,
    until_us: i64,
}

impl Scope {
    const ALL: Scope = Scope {
        actors: None,
        types: None,
        items: None,
        labels: None,
        ceiling: 0,
        rights: BOTH,
        from_us: i64::MIN,
        until_us: i64::MAX,
    };

    /// The same within another provision; `None` where both never apply together. Of actors and labels, of which one may have several,
    /// the inner ones count, which is no less than what both name.
    fn within(self, outer: &Scope) -> Option<Scope> {
        let scope = Scope {
            actors: self.actors.or_else(|| outer.actors.clone()),
            types: common(self.types, &outer.types),
            items: common(self.items, &outer.items),
            labels: self.labels.or_else(|| outer.labels.clone()),
            ceiling: 0,
            rights: self.rights & outer.rights,
            from_us: self.from_us.max(outer.from_us),
            until_us: self.until_us.min(outer.until_us),
        };
        let is_empty = |list: Option<usize>| list == Some(0);
        let applies = scope.rights != 0
            && scope.from_us < scope.until_us
            && !is_empty(scope.types.as_ref().map(Vec::len))
            && !is_empty(scope.items.as_ref().map(Vec::len));
        applies.then_some(scope)
    }
}

fn common<T: PartialEq + Clone>(inner: Option<Vec<T>>, outer: &Option<Vec<T>>) -> Option<Vec<T>> {
    match (inner, outer) {
        (Some(inner), Some(outer)) => Some(inner.into_iter().filter(|one| outer.contains(one)).collect()),
        (inner, outer) => inner.or_else(|| outer.clone()),
    }
}

impl Rules<'_> {
    /// Adds what `provision` and those within it deny.
    fn provision(&mut self, provision: &Value, denies: bool, outer: &Scope) -> Result<(), ExtractError> {
        let Some(scope) = self.at_most(provision).within(outer) else { return Ok(()) };
        let inner = || items(provision, "provision").map(|inner| (inner, inner["type"] != "permit"));
        if denies {
            self.branches = self.branches.checked_add(1).ok_or(too_many())?;
            self.add(&scope, false)?;
            for (exception, _) in inner().filter(|(_, denies)| !denies) {
                if let Some(scope) = self.at_least(exception) {
                    self.add(&scope, true)?;
                }
            }
        }
        inner().try_for_each(|(inner, denies)| self.provision(inner, denies, &scope))
    }

    /// Adds a rule for each of what the scope names.
    fn add(&mut self, scope: &Scope, is_exception: bool) -> Result<(), ExtractError> {
        let (actors, types) = (or_any(&scope.actors), or_any(&scope.types));
        let (items, labels) = (or_any(&scope.items), or_any(&scope.labels));
        let lengths = [actors.len(), types.len(), items.len(), labels.len()];
        let count =
            lengths.iter().try_fold(1_usize, |product, length| product.checked_mul(*length)).ok_or(too_many())?;
        if self.rows.len() + count > MAX_CONSENT_RULES {
            return Err(too_many());
        }
        for actor in &actors {
            for rtype in &types {
                for item in &items {
                    self.rows.extend(labels.iter().map(|(code, system)| ConsentRow {
                        patient: self.patient,
                        is_exception,
                        branch: self.branches,
                        actor: *actor,
                        rtype: *rtype,
                        item: *item,
                        code: *code,
                        system: *system,
                        ceiling: scope.ceiling,
                        rights: scope.rights,
                        from_us: scope.from_us,
                        until_us: scope.until_us,
                    }));
                }
            }
        }
        Ok(())
    }

    /// What a provision applies to at most: what is not understood is left out of account.
    fn at_most(&self, provision: &Value) -> Scope {
        let hashed = |system: &str, code: &str| self.label(Some(system), code);
        let labels = Listed::of(provision, "securityLabel", |label| {
            match (label["system"].as_str(), &*fold_code(label["code"].as_str()?)) {
                // What is no more confidential than anything else names everything.
                (Some(CONFIDENTIALITY), "u" | "l" | "m" | "n") => None,
                (Some(CONFIDENTIALITY), "r") => Some(vec![hashed(CONFIDENTIALITY, "R"), hashed(CONFIDENTIALITY, "V")]),
                (system, code) => Some(vec![self.label(system, code)]),
            }
        });
        let (from_us, until_us) = self.period(provision).unwrap_or((i64::MIN, i64::MAX));
        Scope {
            actors: self.actors(provision).at_most(),
            types: types(provision).at_most(),
            items: Listed::of(provision, "data", |data| self.item(data, true)).at_most(),
            labels: labels.at_most().map(|labels| labels.concat()),
            ceiling: 0,
            rights: rights(provision).at_most().map_or(BOTH, united),
            from_us,
            until_us,
        }
    }

    /// What a provision applies to for certain; `None` where that is nothing.
    fn at_least(&self, provision: &Value) -> Option<Scope> {
        if UNKNOWN.iter().any(|name| provision.get(name).is_some()) {
            return None;
        }
        let listed = items(provision, "securityLabel").next().is_some();
        let (mut labels, mut ceiling) = (Vec::new(), None);
        for label in items(provision, "securityLabel") {
            match (label["system"].as_str(), label["code"].as_str().map(fold_code).as_deref()) {
                // "It applies to all resources that are labeled "R" or lower."
                (Some(CONFIDENTIALITY), Some("n")) => ceiling = ceiling.or(Some(1)),
                (Some(CONFIDENTIALITY), Some("r")) => ceiling = ceiling.max(Some(2)),
                (Some(CONFIDENTIALITY), Some("v")) => ceiling = Some(3),
                (Some(CONFIDENTIALITY), _) | (_, None) => {}
                (system, Some(code)) => labels.push(self.label(system, code)),
            }
        }
        if listed && labels.is_empty() && ceiling.is_none() {
            return None;
        }
        let (from_us, until_us) = self.period(provision).filter(|(from_us, until_us)| from_us < until_us)?;
        Some(Scope {
            actors: self.actors(provision).at_least()?,
            types: types(provision).at_least()?,
            items: Listed::of(provision, "data", |data| self.item(data, false)).at_least()?,
            labels: (!labels.is_empty()).then_some(labels),
            ceiling: ceiling.filter(|ceiling| *ceiling < 3).unwrap_or(0),
            rights: rights(provision).at_least()?.map_or(BOTH, united),
            from_us,
            until_us,
        })
    }

    fn label(&self, system: Option<&str>, code: &str) -> (i64, i64) {
        let hasher = self.context.hasher;
        (hasher.text(&fold_code(code)), system.map_or(0, |system| hasher.text(system)))
    }

    fn actors(&self, provision: &Value) -> Listed<i64> {
        Listed::of(provision, "actor", |actor| {
            let is_source = codings(&actor["role"]).any(|role| SOURCES.iter().any(|code| is_code(role, code)));
            let who = &actor["reference"];
            match who["reference"].as_str() {
                _ if is_source => None,
                Some(text) => match Reference::parse(text, self.context.bases) {
                    Reference::Local { key, .. } if PEOPLE.contains(&key.resource_type.name()) => {
                        Some(actor_of_user(&key, self.context.hasher))
                    }
                    _ => None,
                },
                None => {
                    let is_client = who["identifier"].get("system").is_none()
                        && who["type"].as_str().is_none_or(|type_name| type_name == "Device");
                    let id = who["identifier"]["value"].as_str().filter(|_| is_client)?;
                    Some(actor_of_client(id, self.context.hasher))
                }
            }
        })
    }

    /// The resource that `data` names by itself. A version of it is not known apart.
    fn item(&self, data: &Value, with_versions: bool) -> Option<i64> {
        let text = data["reference"]["reference"].as_str().filter(|_| data["meaning"] == "instance")?;
        match Reference::parse(text, self.context.bases) {
            Reference::Local { key, version } if with_versions || version.is_none() => {
                Some(self.context.hasher.key(&key))
            }
            _ => None,
        }
    }

    /// When a provision applies; `None` when that can't be read.
    fn period(&self, provision: &Value) -> Option<(i64, i64)> {
        let read = |name: &str| match provision["period"].get(name) {
            None => Some(None),
            Some(date) => {
                let date = PartialDate::parse(date.as_str()?).ok()?;
                Some(Some(date.interval(self.context.zone_minutes)))
            }
        };
        let (start, end) = (read("start")?, read("end")?);
        Some((start.map_or(i64::MIN, |start| start.lo_us), end.map_or(i64::MAX, |end| end.hi_us)))
    }
}

/// What a provision lists of one kind.
struct Listed<T> {
    understood: Vec<T>,
    length: usize,
}

impl<T> Listed<T> {
    fn of(provision: &Value, name: &str, read: impl Fn(&Value) -> Option<T>) -> Listed<T> {
        let length = items(provision, name).count();
        Listed { understood: items(provision, name).filter_map(read).collect(), length }
    }

    /// All that it may mean; `None` for anything.
    fn at_most(self) -> Option<Vec<T>> {
        (self.length > 0 && self.understood.len() == self.length).then_some(self.understood)
    }

    /// What it means for certain: nothing, anything, or what is listed.
    fn at_least(self) -> Option<Option<Vec<T>>> {
        match (self.length, self.understood.len()) {
            (0, _) => Some(None),
            (_, 0) => None,
            _ => Some(Some(self.understood)),
        }
    }
}

fn types(provision: &Value) -> Listed<i16> {
    Listed::of(provision, "class", |class| {
        let name = class["code"].as_str().filter(|_| class["system"] == RESOURCE_TYPES)?;
        ResourceType::parse(name).ok().map(ResourceType::code)
    })
}

fn rights(provision: &Value) -> Listed<i16> {
    Listed::of(provision, "action", |action| {
        let right = |coding: &Value| match coding["code"].as_str()? {
            "access" | "use" | "disclose" => Some(Use::Read as i16),
            "collect" | "correct" => Some(Use::Write as i16),
            _ => None,
        };
        let rights: Option<Vec<i16>> = codings(action).map(right).collect();
        rights.filter(|rights| !rights.is_empty()).map(united)
    })
}

fn united(rights: Vec<i16>) -> i16 {
    rights.into_iter().fold(0, |all, right| all | right)
}

fn or_any<T: Clone + Default>(list: &Option<Vec<T>>) -> Vec<T> {
    list.clone().unwrap_or_else(|| vec![T::default()])
}

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn codings(concept: &Value) -> impl Iterator<Item = &Value> {
    items(concept, "coding")
}

/// Whether a coding has this code, which is in lower case; in whatever case it writes it, as labels are compared.
fn is_code(coding: &Value, code: &str) -> bool {
    coding["code"].as_str().is_some_and(|own| fold_code(own) == code)
}

fn too_many() -> ExtractError {
    ExtractError::TooManyConsentRules { limit: MAX_CONSENT_RULES }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::search::Registry;
    use crate::store::Hasher;

    fn rules_of(provision: Value) -> Result<Vec<ConsentRow>, ExtractError> {
        let consent = json!({ "resourceType": "Consent", "status": "active", "patient": { "reference": "Patient/a" },
            "scope": { "coding": [{ "code": "patient-privacy" }] }, "provision": provision });
        let (hasher, registry) = (Hasher::new([3; 16]), Registry::bundled());
        let context = ExtractContext { hasher: &hasher, bases: &[], zone_minutes: 60, registry, places: None };
        rules(&Resource::from_value(consent).unwrap(), &context)
    }

    #[test]
    fn the_type_has_the_number_that_the_migration_names() {
        assert_eq!(ResourceType::parse("Consent").unwrap().code(), 29);
    }

    #[test]
    fn each_provision_that_denies_is_a_branch_with_its_own_exceptions() {
        let rows = rules_of(json!({ "type": "deny", "provision": [
            { "type": "permit", "class": [{ "system": RESOURCE_TYPES, "code": "Condition" }], "provision": [
                { "type": "deny", "securityLabel": [{ "system": CONFIDENTIALITY, "code": "R" }] }] }] }));

        let told: Vec<_> =
            rows.unwrap().iter().map(|row| (row.branch, row.is_exception, row.rtype, row.code != 0)).collect();
        let condition = ResourceType::parse("Condition").unwrap().code();
        // R and V.
        let label = (2, false, condition, true);
        assert_eq!(told, [(1, false, 0, false), (1, true, condition, false), label, label]);
    }

    #[test]
    fn codes_are_the_same_in_whatever_case() {
        let provision = |label: &str, source: &str| {
            json!({ "type": "permit", "provision": [{ "type": "deny",
                "securityLabel": [{ "system": CONFIDENTIALITY, "code": label }],
                "actor": [{ "role": { "coding": [{ "code": source }] }, "reference": { "reference": "Patient/a" } }],
                "provision": [{ "type": "permit", "securityLabel": [{ "system": CONFIDENTIALITY, "code": label }] }] }] })
        };

        for label in ["N", "R", "V"] {
            let large = rules_of(provision(label, "CST")).unwrap();
            assert_eq!(rules_of(provision(&label.to_lowercase(), "cst")).unwrap(), large, "{label}");
        }
    }

    #[test]
    fn days_are_of_the_zone_and_count_to_their_end() {
        let rows =
            rules_of(json!({ "type": "deny", "period": { "start": "2026-01-01", "end": "2026-01-02" } })).unwrap();

        let hour_us = 3_600_000_000;
        assert_eq!(rows[0].until_us - rows[0].from_us, 48 * hour_us);
        assert_eq!(rows[0].from_us, 1_767_225_600_000_000 - hour_us);
    }

    #[test]
    fn what_may_mean_anything_denies_everything() {
        let mut odd = json!({ "resourceType": "Consent", "status": "active", "patient": { "reference": "Patient/a" },
            "scope": { "coding": [{ "code": "patient-privacy" }] }, "modifierExtension": [{ "url": "urn:x" }],
            "provision": { "type": "deny", "provision": [{ "type": "permit" }] } });
        let (hasher, registry) = (Hasher::new([3; 16]), Registry::bundled());
        let context = ExtractContext { hasher: &hasher, bases: &[], zone_minutes: 0, registry, places: None };
        let count = |consent: &Value| rules(&Resource::from_value(consent.clone()).unwrap(), &context).unwrap().len();

        assert_eq!(count(&odd), 1);
        odd.as_object_mut().unwrap().remove("modifierExtension");
        assert_eq!(count(&odd), 2);
        odd["status"] = json!("inactive");
        assert_eq!(count(&odd), 0);
    }
}
