//! Who can sign in to a demonstration, and what they may do.

use crate::clock;
use crate::records::{Grantor, NewPerson, NotUsable, Password, RecordError, Share, Terms, add_person, share};
use crate::store::{GrantLevel, Role, Tx};

/// The password of all of them. It is printed at the start and stands in the documentation.
pub const PASSWORD: &str = "quiet-river-lamp";

/// Somebody with an account for the demonstration.
#[derive(Debug)]
pub struct Demonstrator {
    pub email: &'static str,
    pub name: &'static str,
    /// What they are and see, for whoever chooses whom to sign in as.
    pub about: &'static str,
    role: Role,
    fhir_user: Option<&'static str>,
    /// Records, each with what they may do there.
    records: &'static [(&'static str, GrantLevel)],
    /// Why they may.
    reason: &'static str,
}

/// One for each role.
pub const PEOPLE: &[Demonstrator] = &[
    Demonstrator {
        email: "nadia@family.example",
        name: "Nadia Okoye-Lind",
        about: "a mother: keeps her own record and those of the children, Mila and Theo",
        role: Role::Person,
        fhir_user: Some("Patient/nadia"),
        records: &[
            ("Patient/nadia", GrantLevel::Custodian),
            ("Patient/mila", GrantLevel::Custodian),
            ("Patient/theo", GrantLevel::Custodian),
        ],
        reason: "her own record, and those of her children",
    },
    Demonstrator {
        email: "jonas@family.example",
        name: "Jonas Okoye-Lind",
        about: "the father: keeps his own record, and sees those of the children",
        role: Role::Person,
        fhir_user: Some("Patient/jonas"),
        records: &[
            ("Patient/jonas", GrantLevel::Custodian),
            ("Patient/mila", GrantLevel::View),
            ("Patient/theo", GrantLevel::View),
        ],
        reason: "his own record, and a look at those of his children",
    },
    Demonstrator {
        email: "solberg@clinic.example",
        name: "Dr. Imke Solberg",
        about: "their doctor: sees and adds to the records of Mila and Theo",
        role: Role::Professional,
        fhir_user: Some("Practitioner/solberg"),
        records: &[("Patient/mila", GrantLevel::Modify), ("Patient/theo", GrantLevel::Modify)],
        reason: "looks after the children at Marrow Bay Family Clinic",
    },
    Demonstrator {
        email: "operator@clinic.example",
        name: "Robin Vale",
        about: "runs this server: sees nobody's record",
        role: Role::Operator,
        fhir_user: None,
        records: &[],
        reason: "",
    },
];

/// A person who is ready to be added, with what is to be shared with them.
pub(super) struct Prepared {
    new: NewPerson,
    shares: Vec<Share>,
}

/// Does all that takes time: passwords are hashed here.
pub(super) fn prepare() -> Result<Vec<Prepared>, super::DemoError> {
    let damaged = |unfit: NotUsable| super::DemoError::Damaged(unfit.to_string());
    let password = Password::chosen(PASSWORD, &[]).map_err(damaged)?;
    let one = |person: &Demonstrator| {
        let email: crate::records::Email = person.email.parse().map_err(damaged)?;
        let share = |(record, level): &(&str, GrantLevel)| {
            Ok(Share {
                record: record.parse().map_err(damaged)?,
                to: email.clone(),
                terms: Terms::of_level(*level),
                until_us: None,
                reason: Some(person.reason.parse().map_err(damaged)?),
            })
        };
        Ok(Prepared {
            shares: person.records.iter().map(share).collect::<Result<_, super::DemoError>>()?,
            new: NewPerson {
                email: email.clone(),
                name: person.name.parse().map_err(damaged)?,
                role: person.role,
                password: Some(password.hash()?),
                fhir_user: person.fhir_user.map(str::parse).transpose().map_err(damaged)?,
            },
        })
    };
    PEOPLE.iter().map(one).collect()
}

/// Makes the accounts, and the records those of their custodians.
pub(super) fn add(tx: &mut Tx<'_>, people: &[Prepared]) -> Result<(), RecordError> {
    for person in people {
        add_person(tx, &person.new)?;
        for given in &person.shares {
            share(tx, given, Grantor::Operator, clock::now_us())?;
        }
    }
    Ok(())
}
