//! People, custodians, grants and clients: who may do what, and the rules by which that changes.
//!
//! Every access is a grant. What is here decides who may make and end one; what a request may do with those that stand is
//! for `access`.

mod clients;
mod consent;
mod custody;
mod error;
mod grants;
mod jwks;
mod logo;
mod looks;
mod naming;
mod password;
mod people;
mod registration;
mod secret;
mod told;
mod uris;

pub use clients::{
    Registered, Registrar, accept_invite, answer_asked, approve, ask_member, change, invite, known_client, may_use,
    register, remove, remove_member, rotate_secret, suspend, take_back, verify,
};
pub use consent::{Actor, consent, instant};
pub use custody::{RecordMade, adopt_record, make_record};
pub use error::RecordError;
pub use grants::{
    Grantor, Share, Terms, end_grant, grants_on_record, grants_to_client, grants_to_person, let_app_act, share,
};
pub use logo::{LOGO_BYTES, logo};
pub use looks::{looks, must_look_so};
pub use naming::{Email, FhirUser, Name, NotUsable, Reason, RecordId};
pub use password::{Password, hash_anew, verify_password};
pub use people::{NewPerson, add_person, disable_person, give_password, join};
pub use registration::{ChangedRegistration, NewRegistration, Registration};
pub use secret::{Secret, random_bytes};
pub use uris::redirect_matches;
