//! Ending sessions: one, or all others.

use actix_web::HttpResponse;
use actix_web::web::Data;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::sign_in::{SignInError, Whence, changed};
use crate::http::{App, whence};
use crate::store::{Account, Happening, SecretHash, Store};
use crate::web::account::{ACCOUNT, fresh, work};
use crate::web::sign_in::go_on;
use crate::web::{PageError, PageForm};

/// `POST /account/sessions/end`: the one in the field `session`.
pub async fn end(request: actix_web::HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let named = form.get("session").and_then(|id| URL_SAFE_NO_PAD.decode(id).ok()).unwrap_or_default();
    let who = fresh(form.visitor, ACCOUNT)?;
    let (account, whence) = (who.signed_in.account, whence(&app, &request));
    work(&app, move |engine| end_one(&engine.store, account, named, whence)).await??;
    Ok(go_on(who.visitor.root(), ACCOUNT))
}

/// `POST /account/sessions/end-others`
pub async fn end_others(
    request: actix_web::HttpRequest,
    form: PageForm,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let who = fresh(form.visitor, ACCOUNT)?;
    let (account, this, whence) = (who.signed_in.account, who.signed_in.session.hash, whence(&app, &request));
    work(&app, move |engine| {
        engine.store.write(move |tx| {
            tx.end_other_sessions(account.id, Some(&this))?;
            changed(tx, &account, Happening::OthersEnded, None, &whence).map_err(SignInError::from)
        })
    })
    .await??;
    Ok(go_on(who.visitor.root(), ACCOUNT))
}

/// Ends the session of this account that goes by this name. One that is over already is no matter.
fn end_one(store: &Store, account: Account, named: Vec<u8>, whence: Whence) -> Result<(), SignInError> {
    store.write(move |tx| {
        let sessions = tx.sessions_of(account.id)?;
        let hash: Option<SecretHash> =
            sessions.into_iter().map(|session| session.hash).find(|hash| hash.as_bytes() == named);
        if let Some(hash) = hash {
            tx.end_session(&hash)?;
            changed(tx, &account, Happening::SessionEnded, None, &whence)?;
        }
        Ok(())
    })
}
