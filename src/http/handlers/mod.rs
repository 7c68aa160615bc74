//! One file per interaction: extract, call, wrap.

pub mod auth;
pub mod bundle;
pub mod create;
pub mod delete;
pub mod history;
pub mod metadata;
pub mod patch;
pub mod read;
pub mod reindex;
pub mod search;
pub mod status;
pub mod update;
pub mod validate;
