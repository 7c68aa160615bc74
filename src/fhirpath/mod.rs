//! FHIRPath over JSON: parse once, evaluate often, borrow everything.
//!
//! Spec: FHIRPath 2.0 (http://hl7.org/fhirpath/N1), R4 fhirpath.html
