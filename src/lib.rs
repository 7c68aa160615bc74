//! Emberwell: a FHIR R4 health data server, and a home for people's health records.
//!
//! Each module is a room; `docs/ARCHITECTURE.md` says which may use which.

pub mod access;
pub mod audit;
pub mod auth;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod fhir;
pub mod fhirpath;
pub mod http;
pub mod interactions;
pub mod load;
pub mod operations;
pub mod outbound;
pub mod records;
pub mod search;
pub mod server;
pub mod store;
pub mod terminology;
pub mod validation;
pub mod web;
