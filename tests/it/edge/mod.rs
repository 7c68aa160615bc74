//! What stands before everything else: how often and from where a request may come, how slowly, under which name, and what
//! browsers are told of the answer.

mod bounds;
mod crowd;
mod headers;
mod hosts;
mod idle;
mod rates;
mod slow;
mod smuggling;
