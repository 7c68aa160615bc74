//! FHIR over HTTP: routes, negotiation, headers, and the one table from an error to a status.
//!
//! Handlers extract, call one function of `interactions`, and wrap its answer. Nothing below this room knows of HTTP.
//!
//! Spec: R4 http.html

mod app;
mod body;
mod bundle_writer;
mod caller;
mod capabilities;
mod challenge;
mod conditions;
mod cors;
mod edge;
mod error;
mod explain;
mod format;
mod handlers;
mod hop;
mod hosts;
mod lines;
mod links;
mod log;
mod media;
mod oauth;
mod outcome;
mod paths;
mod peer;
mod prefer;
mod provenance;
mod rates;
mod response;
mod routes;
mod seat;
mod shield;
mod subset;
mod told;
mod unpack;
mod user_codes;
mod wanted;
mod wire;

pub use app::App;
pub use body::FormBody;
pub use challenge::challenged;
pub use cors::cors;
pub use edge::edge;
pub use error::HttpError;
pub use hosts::Hosts;
pub use lines::{Line, Lines};
pub use peer::whence;
pub use routes::{At, at, configure};
pub use seat::Place;
pub use told::told;
pub use user_codes::UserCodes;
pub use wire::{Phase, Wire};
