//! The first account of a new server: whoever has the link that the server printed makes it.

use crate::auth::sign_in::{SignInError, Whence, told};
use crate::records::{Email, Name, NewPerson, Password, Secret, add_person};
use crate::store::{Account, Happening, Role, SecretHash, Store};

/// A new link, if there is no account yet; one that was out counts no more.
pub fn offer_set_up(store: &Store) -> Result<Option<Secret>, SignInError> {
    if store.read_one(|reader| reader.has_accounts())? {
        return Ok(None);
    }
    let link = Secret::random()?;
    let hash = link.hash();
    store.write(move |tx| tx.offer_set_up(&hash).map_err(SignInError::from))?;
    Ok(Some(link))
}

/// Whether this is the link that is out.
pub fn is_set_up_link(store: &Store, link: &str) -> Result<bool, SignInError> {
    let hash = SecretHash::of(link.as_bytes());
    store.read(|reader| Ok(reader.set_up_link()? == Some(hash) && !reader.has_operator()?))
}

/// Makes the first operator, by whoever has the link, which counts no more after that.
pub fn set_up(
    store: &Store,
    link: &str,
    email: &Email,
    name: &Name,
    password: &str,
    whence: &Whence,
) -> Result<Account, SignInError> {
    if !is_set_up_link(store, link)? {
        return Err(SignInError::NoSetUp);
    }
    let hash = Password::chosen(password, &[name.as_str(), email.as_str()])?.hash()?;
    let new = NewPerson {
        email: email.clone(),
        name: name.clone(),
        role: Role::Operator,
        password: Some(hash),
        fhir_user: None,
    };
    let (link, whence) = (SecretHash::of(link.as_bytes()), whence.clone());
    store.write(move |tx| {
        // Looked at again where nobody gets in between.
        tx.lock_access()?;
        if tx.set_up_link()? != Some(link) || tx.has_operator()? {
            return Err(SignInError::NoSetUp);
        }
        let account = add_person(tx, &new)?;
        tx.end_set_up()?;
        told::changed(tx, &account, Happening::AccountMade, None, &whence)?;
        Ok(account)
    })
}
