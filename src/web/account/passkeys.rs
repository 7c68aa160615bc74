//! Passkeys: signing in by one, adding and removing them.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::sign_in::{Challenge, SignInError, remove_passkey};
use crate::http::{App, whence};
use crate::records::Name;
use crate::web::account::{ACCOUNT, fresh, sentence, work};
use crate::web::session::own_address;
use crate::web::sign_in::{begun, go_on, sign_in_page};
use crate::web::{Frame, Page, PageError, PageForm, SignedInVisitor, Visitor};

const PATH: &str = "/account/passkeys";

/// A form that asks the browser for any passkey of the person before it.
#[derive(Clone, Debug)]
pub struct PasskeyForm {
    /// Where the answer goes.
    pub action: &'static str,
    pub challenge: Challenge,
}

impl PasskeyForm {
    /// For `visitor`; `None` where there are no passkeys.
    pub async fn of(
        app: &Data<App>,
        visitor: &Visitor,
        action: &'static str,
    ) -> Result<Option<PasskeyForm>, PageError> {
        if !app.auth.sign_ins.has_passkeys() {
            return Ok(None);
        }
        let challenge = app.auth.sign_ins.any_passkey(&app.engine.store, visitor.csrf())?;
        Ok(Some(PasskeyForm { action, challenge }))
    }
}

#[derive(Template)]
#[template(path = "account_passkey.html")]
struct AddPage {
    frame: Frame,
    challenge: Challenge,
    name: String,
    problem: Option<String>,
}

/// `POST /sign-in/passkey`: the browser's `answer` to the challenge in `state`.
pub async fn sign_in(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let next = own_address(form.get("next")).to_owned();
    let field = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let (state, answer, holder) = (field("state"), field("answer"), form.visitor.csrf().to_owned());
    let (shared, from) = (Data::clone(&app), whence(&app, &request));
    let proven =
        work(&app, move |engine| shared.auth.sign_ins.by_passkey(&engine.store, &state, &answer, &holder, &from));
    match proven.await? {
        Ok(proven) => begun(&request, &form.visitor, &app, proven, &next).await,
        Err(error @ (SignInError::PasskeyNotAccepted | SignInError::Expired)) => {
            let page = sign_in_page(&app, &form.visitor, &next, "", Some(&sentence(error))).await?;
            Ok(page.status(StatusCode::UNAUTHORIZED).answer())
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /account/passkeys`: the form for another one.
pub async fn page(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, PageError> {
    let who = fresh(visitor, PATH)?;
    Ok(add_page(&app, &who, String::new(), None).await?.answer())
}

/// `POST /account/passkeys`: a new one, called `name`.
pub async fn add(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let field = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let (state, answer, name) = (field("state"), field("answer"), field("name"));
    let who = fresh(form.visitor, PATH)?;
    let (account, from, shared) = (who.signed_in.account.clone(), whence(&app, &request), Data::clone(&app));
    let called = name.clone();
    let added = work(&app, move |engine| {
        let name: Name = called.parse()?;
        shared.auth.sign_ins.add_passkey(&engine.store, &account, &state, &answer, &name, &from)
    });
    match added.await? {
        Ok(()) => Ok(go_on(who.visitor.root(), ACCOUNT)),
        Err(
            error @ (SignInError::NotUsable(_)
            | SignInError::PasskeyNotAccepted
            | SignInError::PasskeyThere
            | SignInError::Expired),
        ) => {
            let page = add_page(&app, &who, name, Some(sentence(error))).await?;
            Ok(page.status(StatusCode::BAD_REQUEST).answer())
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /account/passkeys/remove`: the one in the field `passkey`.
pub async fn remove(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let named = form.get("passkey").and_then(|id| URL_SAFE_NO_PAD.decode(id).ok()).unwrap_or_default();
    let who = fresh(form.visitor, ACCOUNT)?;
    let (account, whence) = (who.signed_in.account, whence(&app, &request));
    // One that is gone already is no matter.
    work(&app, move |engine| remove_passkey(&engine.store, &account, &named, &whence)).await??;
    Ok(go_on(who.visitor.root(), ACCOUNT))
}

async fn add_page(
    app: &Data<App>,
    who: &SignedInVisitor,
    name: String,
    problem: Option<String>,
) -> Result<Page, PageError> {
    let (shared, account) = (Data::clone(app), who.signed_in.account.clone());
    let challenge = work(app, move |engine| shared.auth.sign_ins.new_passkey(&engine.store, &account)).await??;
    let page = AddPage { frame: who.visitor.frame(), challenge, name, problem };
    Ok(Page::new(&who.visitor, &page)?.with_script())
}
