//! `load`, as people run it: the program itself, on files.

mod over_http;
mod resume;
pub mod scratch;
mod statistics;
mod stub;
mod trouble;
