//! What Consents keep from whoever asks, as parts of statements.
//!
//! A rule that denies keeps a resource of its Patient's record back, unless an exception of the same branch applies. A Provenance goes
//! with what it is about, a Binary with the first resource that came to have it. Everything is asked of rows that stand when the
//! statement runs, so that what a Consent says, labels and owners hold from the moment of their writing.
//!
//! Spec: R4 consent.html

use serde_json::Value;

use crate::fhir::{Resource, ResourceType};
use crate::search::compile::CompileContext;
use crate::search::compile::filters::Row;
use crate::search::compile::write::one_of;
use crate::search::extract::ATTACHED;
use crate::search::fold::fold_code;
use crate::search::labels::CONFIDENTIALITY;
use crate::search::{ExtractContext, Party, Registry, Use, dialect, owners, reference_texts};
use crate::store::Query;

/// Text about the rule `q`, which denies, or about the exception `e`.
macro_rules! of_rule {
    ($is_exception:expr, $first:literal $(, $rest:literal)*) => {
        if $is_exception { concat!($first $(, "e", $rest)*) } else { concat!($first $(, "q", $rest)*) }
    };
}

/// ` AND ..`: no Consent keeps `row` from `party` for this use.
pub(super) fn consented(row: Row<'_>, party: &Party, put_to: Use, context: &CompileContext<'_>, query: &mut Query) {
    let asked = Asked { party, put_to, subject: Subject::Owned, context };
    let may_be =
        |name: &str| ResourceType::parse(name).ok().filter(|of| row.types().is_empty() || row.types().contains(of));
    // Each row is asked by itself: what all Consents keep back of all records is much more than a page needs.
    let end = dialect::one_by_one(context.dialect);
    // What is contained is where the reference is, which is asked already.
    query.sql(" AND (");
    if row.is_target() {
        query.sql(row.alias()).sql(".rid < 0 OR (");
    }
    query.sql("NOT EXISTS (SELECT 1 FROM compartment o CROSS JOIN consent_rule q WHERE o.rid = ");
    row.container(query);
    asked.denied(query);
    query.sql(end);
    if let Some(target) = may_be("Provenance").and_then(|of| Registry::bundled().parameter(of, "target")) {
        query.sql(" AND NOT EXISTS (SELECT 1 FROM index_reference p CROSS JOIN resource t CROSS JOIN compartment o ");
        query.sql("CROSS JOIN consent_rule q WHERE p.rid = ");
        row.container(query);
        query.sql(" AND p.param = ").integer(i64::from(target.id()));
        query.sql(" AND t.key = p.target AND t.method <> 2 AND o.rid = t.rid");
        asked.denied(query);
        query.sql(end);
    }
    if may_be("Binary").is_some() {
        query.sql(
            " AND NOT EXISTS (SELECT 1 FROM compartment o CROSS JOIN consent_rule q WHERE o.rid = (SELECT MIN(h.rid) ",
        );
        query.sql("FROM index_reference h WHERE h.param = ").integer(i64::from(ATTACHED));
        query.sql(" AND h.target = (SELECT k.key FROM resource k WHERE k.rid = ");
        row.container(query);
        query.sql(") AND h.rid > 0)");
        asked.denied(query);
        query.sql(end);
    }
    query.sql(if row.is_target() { "))" } else { ")" });
}

/// How many rules keep the content of a version of `resource` from `party`, which may be another than the one that stands. One column,
/// one row. `bases` are the server's own base URLs, without a slash at the end.
pub fn kept_from(
    party: &Party,
    put_to: Use,
    resource: &Resource,
    bases: &[String],
    context: &CompileContext<'_>,
) -> Query {
    let content = Content::of(resource, bases, context);
    let mut query = Query::new();
    if let Some(targets) = content.targets {
        query.sql("SELECT COUNT(*) FROM resource t CROSS JOIN compartment o CROSS JOIN consent_rule q WHERE t.key");
        query.among(context.dialect, &targets).sql(" AND t.method <> 2 AND o.rid = t.rid");
        Asked { party, put_to, subject: Subject::Owned, context }.denied(&mut query);
    } else {
        query.sql("SELECT COUNT(*) FROM consent_rule q WHERE q.patient").among(context.dialect, &content.owners);
        Asked { party, put_to, subject: Subject::Content(&content), context }.denied(&mut query);
    }
    query
}

/// A version, as far as rules ask about it.
struct Content {
    of: ResourceType,
    /// As a reference target.
    key: i64,
    owners: Vec<i64>,
    /// Code and system of its labels.
    labels: Vec<(i64, i64)>,
    is_restricted: bool,
    is_very_restricted: bool,
    /// Of a Provenance: what it is about.
    targets: Option<Vec<i64>>,
}

impl Content {
    fn of(resource: &Resource, bases: &[String], context: &CompileContext<'_>) -> Content {
        let CompileContext { hasher, zone_minutes, .. } = *context;
        let of = resource.resource_type;
        let labels: Vec<(Option<&str>, &str)> = resource
            .value
            .pointer("/meta/security")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|label| Some((label["system"].as_str(), label["code"].as_str()?)))
            .collect();
        let is_labelled = |code: &str| {
            labels.iter().any(|(system, own)| *system == Some(CONFIDENTIALITY) && own.eq_ignore_ascii_case(code))
        };
        let hashed = |(system, code): &(Option<&str>, &str)| {
            (hasher.text(&fold_code(code)), system.map_or(0, |system| hasher.text(system)))
        };
        let about = (of.name() == "Provenance").then(|| Registry::bundled().parameter(of, "target")).flatten();
        let targets = about.map(|about| {
            let registry = Registry::bundled();
            let context = ExtractContext { hasher, bases, zone_minutes, registry, places: None };
            reference_texts(resource, about.id(), &context).iter().map(|text| hasher.text(text)).collect()
        });
        Content {
            of,
            key: resource.id.as_ref().map_or(0, |id| hasher.text(&format!("{of}/{id}"))),
            owners: owners(resource, hasher, bases),
            is_restricted: is_labelled("R"),
            is_very_restricted: is_labelled("V"),
            labels: labels.iter().map(hashed).collect(),
            targets,
        }
    }
}

/// Of what it is asked whether a rule is about it.
#[derive(Clone, Copy)]
enum Subject<'a> {
    /// The resource of the row `o` of `compartment`.
    Owned,
    Content(&'a Content),
}

/// What is asked of the rules.
#[derive(Clone, Copy)]
struct Asked<'a> {
    party: &'a Party,
    put_to: Use,
    subject: Subject<'a>,
    context: &'a CompileContext<'a>,
}

impl Asked<'_> {
    /// ` AND ..`: the rule `q` denies, and no exception to it applies.
    fn denied(self, query: &mut Query) {
        if let Subject::Owned = self.subject {
            query.sql(" AND o.bond <> 2 AND q.patient = o.patient");
        }
        if let (true, Ok(consent)) = (self.party.keeps_consents, ResourceType::parse("Consent")) {
            match self.subject {
                Subject::Owned => query.sql(" AND o.rtype <> ").integer(i64::from(consent.code())),
                Subject::Content(content) if content.of == consent => query.sql(" AND 1 = 0"),
                Subject::Content(_) => query,
            };
        }
        query.sql(" AND q.is_exception = 0");
        self.applies(false, query);
        query.sql(" AND NOT EXISTS (SELECT 1 FROM consent_rule e WHERE e.patient = q.patient AND e.is_exception = 1 ");
        query.sql("AND e.rid = q.rid AND e.branch = q.branch");
        self.applies(true, query);
        self.is_low_enough(query);
        query.sql(")");
    }

    /// ` AND ..`: the rule applies to the party, the moment, the use and the subject.
    fn applies(self, is_exception: bool, query: &mut Query) {
        let Asked { party, put_to, context, .. } = self;
        query.sql(of_rule!(is_exception, " AND ", ".actor"));
        let actors: Vec<i64> = [0].iter().chain(&party.actors).copied().collect();
        one_of(query, &actors, |query, actor| {
            query.integer(*actor);
        });
        query.sql(match put_to {
            Use::Read => of_rule!(is_exception, " AND ", ".rights IN (1, 3)"),
            Use::Write => of_rule!(is_exception, " AND ", ".rights IN (2, 3)"),
        });
        query.sql(of_rule!(is_exception, " AND ", ".from_us <= ")).integer(context.now_us);
        query.sql(of_rule!(is_exception, " AND ", ".until_us > ")).integer(context.now_us);
        match self.subject {
            Subject::Owned => {
                query.sql(of_rule!(
                    is_exception,
                    " AND (",
                    ".rtype = 0 OR ",
                    ".rtype = o.rtype) AND (",
                    ".item = 0 OR ",
                    ".item = (SELECT k.key FROM resource k WHERE k.rid = o.rid)) AND (",
                    ".code = 0 OR EXISTS (SELECT 1 FROM \
                    index_token l WHERE l.code = ",
                    ".code AND l.system = ",
                    ".system AND l.rid = o.rid AND l.param = "
                ));
                query.integer(security()).sql("))");
            }
            Subject::Content(content) => {
                query.sql(of_rule!(is_exception, " AND ", ".rtype IN (0, ")).integer(i64::from(content.of.code()));
                query.sql(of_rule!(is_exception, ") AND ", ".item IN (0, ")).integer(content.key);
                query.sql(of_rule!(is_exception, ") AND (", ".code = 0"));
                for (code, system) in &content.labels {
                    query.sql(of_rule!(is_exception, " OR (", ".code = ")).integer(*code);
                    query.sql(of_rule!(is_exception, " AND ", ".system = ")).integer(*system).sql(")");
                }
                query.sql(")");
            }
        }
    }

    /// ` AND ..`: the subject is no more confidential than the exception `e` says.
    fn is_low_enough(self, query: &mut Query) {
        match self.subject {
            Subject::Owned => {
                let hasher = self.context.hasher;
                for (bound, code) in [(" AND (e.ceiling = 0", "V"), (" AND (e.ceiling <> 1", "R")] {
                    query
                        .sql(bound)
                        .sql(" OR NOT EXISTS (SELECT 1 FROM index_token l WHERE l.param = ")
                        .integer(security());
                    query.sql(" AND l.code = ").integer(hasher.text(&fold_code(code)));
                    query.sql(" AND l.system = ").integer(hasher.text(CONFIDENTIALITY)).sql(" AND l.rid = o.rid))");
                }
            }
            Subject::Content(content) => {
                if content.is_very_restricted {
                    query.sql(" AND e.ceiling = 0");
                }
                if content.is_restricted {
                    query.sql(" AND e.ceiling <> 1");
                }
            }
        }
    }
}

/// The number of the parameter of security labels, which serves all types.
fn security() -> i64 {
    Registry::bundled().parameter(ResourceType::PATIENT, "_security").map_or(0, |security| i64::from(security.id()))
}
