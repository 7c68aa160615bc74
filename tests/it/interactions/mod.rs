//! What the interactions do, seen through HTTP.

mod batch;
mod conditional;
mod history;
pub mod own_parameters;
mod patch;
pub mod races;
mod search;
mod search_canonicals;
mod search_compartments;
mod search_contained;
mod search_filter;
mod search_filter_terms;
mod search_hierarchies;
mod search_includes;
mod search_links;
mod search_near;
mod search_pages;
mod search_sort;
mod search_sort_pages;
mod search_terms;
mod search_units;
mod search_unsorted;
mod search_words;
mod single;
mod transaction;
