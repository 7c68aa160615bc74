//! FHIR R4 as data: ids, types, JSON, dates, references, issues, and the definitions read from `fhir-schemas`.

mod date;
mod decimal;
pub mod definitions;
mod id;
mod issue;
pub mod json;
mod reference;
mod resource;
mod resource_type;
pub mod ucum;
mod zone;

pub use date::{DateError, Interval, PartialDate, Precision, format_instant, is_time};
pub use decimal::{Decimal, NotADecimal};
pub use id::{Id, NotAnId, ResourceKey};
pub use issue::{Issue, IssueCode, Severity, outcome};
pub use reference::Reference;
pub use resource::{Resource, whole, write_head};
pub use resource_type::{ResourceType, UnknownType};
pub use zone::{NotAZone, Zone};
