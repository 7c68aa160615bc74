//! What belongs to HTTP: headers, media types, refusals.

mod bad_input;
mod capabilities;
mod demo;
mod explain;
mod headers;
mod packing;
mod paging;
mod refusals;
mod reindex;
mod search_examples;
mod search_limits;
mod stale_index;
mod subsets;
mod verify;
mod zone;
