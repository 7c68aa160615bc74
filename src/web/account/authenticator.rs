//! The authenticator app and its recovery codes: `/account/authenticator`, `/account/recovery-codes`.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use qrcode::QrCode;
use qrcode::render::svg;

use crate::auth::sign_in::{
    AppSecret, RecoveryCodes, SignInError, new_recovery_codes, offer_authenticator, offered_authenticator,
    remove_authenticator,
};
use crate::http::{App, whence};
use crate::web::account::{ACCOUNT, fresh, sentence, work};
use crate::web::sign_in::go_on;
use crate::web::{Frame, Page, PageError, PageForm, SignedInVisitor, Visitor};

const PATH: &str = "/account/authenticator";
/// Of a side of the picture, in pixels.
const SIDE: u32 = 220;

#[derive(Template)]
#[template(path = "account_authenticator.html")]
struct SetUpPage {
    frame: Frame,
    secret: AppSecret,
    picture: String,
    problem: Option<String>,
}

#[derive(Template)]
#[template(path = "account_codes.html")]
struct CodesPage {
    frame: Frame,
    codes: Vec<String>,
    is_new_app: bool,
}

/// `GET /account/authenticator`: the secret that was offered.
pub async fn page(visitor: Visitor, app: Data<App>) -> Result<HttpResponse, PageError> {
    let who = fresh(visitor, PATH)?;
    match set_up_page(&app, &who, None).await? {
        Ok(page) => Ok(page.answer()),
        Err(SignInError::AuthenticatorThere | SignInError::NoAuthenticator) => Ok(go_on(who.visitor.root(), ACCOUNT)),
        Err(error) => Err(error.into()),
    }
}

/// `POST /account/authenticator`: offers a new secret.
pub async fn offer(form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let who = fresh(form.visitor, ACCOUNT)?;
    let account = who.signed_in.account.clone();
    work(&app, move |engine| offer_authenticator(&engine.store, &account)).await??;
    Ok(go_on(who.visitor.root(), PATH))
}

/// `POST /account/authenticator/confirm`: the first `code`. Shows the recovery codes, this one time.
pub async fn confirm(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let code = form.get("code").unwrap_or_default().to_owned();
    let who = fresh(form.visitor, PATH)?;
    let (account, from, shared) = (who.signed_in.account.clone(), whence(&app, &request), Data::clone(&app));
    let confirmed =
        work(&app, move |engine| shared.auth.sign_ins.confirm_authenticator(&engine.store, &account, &code, &from));
    match confirmed.await? {
        Ok(codes) => codes_page(&who, &codes, true),
        Err(error @ SignInError::WrongCode) => {
            let page = set_up_page(&app, &who, Some(sentence(error))).await??;
            Ok(page.status(StatusCode::BAD_REQUEST).answer())
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /account/authenticator/remove`
pub async fn remove(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let who = fresh(form.visitor, ACCOUNT)?;
    let (account, whence) = (who.signed_in.account, whence(&app, &request));
    match work(&app, move |engine| remove_authenticator(&engine.store, &account, &whence)).await? {
        // One that is gone already is no matter.
        Ok(()) | Err(SignInError::NoAuthenticator) => Ok(go_on(who.visitor.root(), ACCOUNT)),
        Err(error) => Err(error.into()),
    }
}

/// `POST /account/recovery-codes`: new ones, shown this one time.
pub async fn new_codes(request: HttpRequest, form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let who = fresh(form.visitor, ACCOUNT)?;
    let (account, whence) = (who.signed_in.account.clone(), whence(&app, &request));
    let codes = work(&app, move |engine| new_recovery_codes(&engine.store, &account, &whence)).await??;
    codes_page(&who, &codes, false)
}

fn codes_page(who: &SignedInVisitor, codes: &RecoveryCodes, is_new_app: bool) -> Result<HttpResponse, PageError> {
    let page = CodesPage { frame: who.visitor.frame(), codes: codes.shown(), is_new_app };
    Ok(Page::new(&who.visitor, &page)?.answer())
}

async fn set_up_page(
    app: &Data<App>,
    who: &SignedInVisitor,
    problem: Option<String>,
) -> Result<Result<Page, SignInError>, PageError> {
    let account = who.signed_in.account.clone();
    let secret = match work(app, move |engine| offered_authenticator(&engine.store, &account)).await? {
        Ok(secret) => secret,
        Err(error) => return Ok(Err(error)),
    };
    let page = SetUpPage { frame: who.visitor.frame(), picture: picture(&secret.uri)?, secret, problem };
    Ok(Ok(Page::new(&who.visitor, &page)?))
}

/// `text` as a picture for a camera, to be put in a page.
fn picture(text: &str) -> Result<String, PageError> {
    let code = QrCode::new(text).map_err(|error| PageError::Template(format!("no QR code: {error}")))?;
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(SIDE, SIDE).build();
    // The head of a document of its own has no place in a page.
    let picture = drawn.find("<svg").map_or(drawn.as_str(), |begin| &drawn[begin..]);
    Ok(picture.replacen("<svg ", "<svg role=\"img\" aria-label=\"QR code for your authenticator app\" ", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_drawn_for_a_page() {
        let picture =
            picture("otpauth://totp/Emberwell:anna%40example.org?secret=GEZDGNBV&issuer=Emberwell").ok().unwrap();

        assert!(picture.starts_with("<svg role=\"img\" aria-label=\"QR code"), "{}", &picture[..80]);
        assert!(picture.ends_with("</svg>") && !picture.contains("style="));
    }
}
