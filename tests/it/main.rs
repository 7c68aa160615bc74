//! All integration tests, in one binary.

mod patch_suite;
