//! All integration tests, in one binary.

mod support;

mod access;
mod auth;
mod http;
mod interactions;
mod layers;
mod load;
mod migrations;
mod patch_suite;
mod records;
mod search_oracle;
mod us_core;
