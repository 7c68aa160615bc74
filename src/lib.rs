//! Emberwell: a FHIR R4 health data server, and a home for people's health records.
//!
//! Each module is a room; `docs/ARCHITECTURE.md` says which may use which.

pub mod access;
pub mod fhir;
pub mod fhirpath;
pub mod interactions;
pub mod search;
pub mod store;
pub mod validation;
