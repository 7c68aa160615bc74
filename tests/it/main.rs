//! All integration tests, in one binary.

mod support;

mod access;
mod apps;
mod audit;
mod auth;
mod edge;
mod fuzz;
mod http;
mod interactions;
mod layers;
mod leak;
mod load;
mod migrations;
mod patch_suite;
mod records;
mod search_oracle;
mod sign_in;
mod smart;
mod upstream;
mod us_core;
