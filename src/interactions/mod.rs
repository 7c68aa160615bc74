//! The RESTful interactions as plain functions that know no HTTP.
//!
//! Spec: R4 http.html

pub mod patch;
