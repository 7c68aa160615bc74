//! A table of broken resources.
