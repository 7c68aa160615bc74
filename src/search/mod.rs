//! Search: the parameter registry, extraction of index rows, and the one compiler from a query to a statement.
//!
//! Spec: R4 search.html
