//! Where in a resource the check is, kept on the stack and written out only when there is something to say.
//!
//! Spec: R4 operationoutcome-definitions.html#OperationOutcome.issue.expression

use std::fmt;

/// A FHIRPath to one element; each level borrows the one above it, so that walking costs no memory.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    /// The type of the outermost resource.
    Root(&'a str),
    /// An element by its name, without the type that a choice puts behind it.
    Member(&'a Path<'a>, &'a str),
    /// One entry of a repeating element.
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    /// The name of the nearest element, for the text of a finding.
    pub(super) fn name(&self) -> &str {
        match self {
            Path::Root(name) | Path::Member(_, name) => name,
            Path::Item(list, _) => list.name(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root(name) => formatter.write_str(name),
            Path::Member(parent, name) => write!(formatter, "{parent}.{name}"),
            Path::Item(list, index) => write!(formatter, "{list}[{index}]"),
        }
    }
}

/// True when `name` may stand in a FHIRPath and in a text as it is: a plain word of at most 64 characters.
///
/// Anything else that a sender used as a member name could be the content of a record.
pub(super) fn is_plain_name(name: &str) -> bool {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic());
    starts_well && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_reads_as_fhirpath() {
        let root = Path::Root("Patient");
        let contacts = Path::Member(&root, "contact");
        let contact = Path::Item(&contacts, 2);

        assert_eq!(Path::Member(&contact, "name").to_string(), "Patient.contact[2].name");
        assert_eq!(contact.name(), "contact");
    }

    #[test]
    fn sentences_are_no_plain_names() {
        assert!(is_plain_name("valueQuantity"));
        assert!(!is_plain_name("Ada Lovelace"));
        assert!(!is_plain_name(""));
        assert!(!is_plain_name(&"a".repeat(65)));
    }
}
