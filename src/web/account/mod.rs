//! The pages by which people sign in with more than a password, and look after their account.
//!
//! Each change asks for a sign-in that is not older than ten minutes (`/sign-in/again`).
//!
//! Spec: OWASP ASVS 5.0 chapters 6 and 7; WCAG 2.2

mod again;
mod authenticator;
mod device;
mod passkeys;
mod password;
mod script;
pub(super) mod second_factor;
mod session_list;
mod set_up;
mod start;
mod words;

pub(super) use again::shown_again;
pub(super) use passkeys::PasskeyForm;
pub(super) use words::Moment;
pub(super) use words::sentence;

use actix_web::http::Method;
use actix_web::web::{Data, ServiceConfig};

use crate::auth::SignedIn;
use crate::auth::sign_in::SignInError;
use crate::clock;
use crate::http::{App, HttpError, at};
use crate::interactions::Engine;
use crate::web::{PageError, SignedInVisitor, Visitor};

/// The page that all changes lead back to.
const ACCOUNT: &str = "/account";

/// Adds the pages.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(at("/passkey.js").get(script::script).done_as::<PageError>())
        .service(at("/sign-in/passkey").on(Method::POST, passkeys::sign_in).done_as::<PageError>())
        .service(
            at(second_factor::PATH)
                .get(second_factor::page)
                .on(Method::POST, second_factor::check)
                .done_as::<PageError>(),
        )
        .service(at("/sign-in/again").get(again::page).on(Method::POST, again::by_password).done_as::<PageError>())
        .service(at("/sign-in/again/passkey").on(Method::POST, again::by_passkey).done_as::<PageError>())
        .service(
            at(second_factor::PATH_AGAIN)
                .get(second_factor::page_again)
                .on(Method::POST, second_factor::check_again)
                .done_as::<PageError>(),
        )
        .service(at("/set-up").get(set_up::page).on(Method::POST, set_up::make).done_as::<PageError>())
        .service(at("/account").get(start::page).done_as::<PageError>())
        .service(at("/account/password").get(password::page).on(Method::POST, password::change).done_as::<PageError>())
        .service(at("/.well-known/change-password").get(password::elsewhere).done_as::<PageError>())
        .service(at("/account/passkeys").get(passkeys::page).on(Method::POST, passkeys::add).done_as::<PageError>())
        .service(at("/account/passkeys/remove").on(Method::POST, passkeys::remove).done_as::<PageError>())
        .service(
            at("/account/authenticator")
                .get(authenticator::page)
                .on(Method::POST, authenticator::offer)
                .done_as::<PageError>(),
        )
        .service(at("/account/authenticator/confirm").on(Method::POST, authenticator::confirm).done_as::<PageError>())
        .service(at("/account/authenticator/remove").on(Method::POST, authenticator::remove).done_as::<PageError>())
        .service(at("/account/recovery-codes").on(Method::POST, authenticator::new_codes).done_as::<PageError>())
        .service(at("/account/sessions/end").on(Method::POST, session_list::end).done_as::<PageError>())
        .service(at("/account/sessions/end-others").on(Method::POST, session_list::end_others).done_as::<PageError>());
}

/// Does what may take long. What a person can put right comes back as it is, for the form.
async fn work<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Engine) -> Result<T, SignInError> + Send + 'static,
) -> Result<Result<T, SignInError>, PageError> {
    Ok(app.block(move |engine| Ok::<_, HttpError>(work(engine))).await?)
}

/// The same, with a password that is hashed: there is room for a few at once.
pub(super) async fn hashing<T: Send + 'static>(
    app: &Data<App>,
    work: impl FnOnce(&App) -> Result<T, SignInError> + Send + 'static,
) -> Result<Result<T, SignInError>, PageError> {
    let place = app.password_place().await?;
    let shared = Data::clone(app);
    let done = app.block(move |_| {
        // Held by the work, not by the request: that may be gone before.
        let _place = place;
        Ok::<_, HttpError>(work(&shared))
    });
    Ok(done.await?)
}

/// Whoever sent a form, if they have shown who they are lately enough; else it goes to where they do, and from there to `next`.
fn fresh(visitor: Visitor, next: &'static str) -> Result<SignedInVisitor, PageError> {
    let who = SignedInVisitor::of(visitor, next)?;
    if is_fresh(&who.signed_in) {
        return Ok(who);
    }
    Err(PageError::ShowAgain { root: who.visitor.root().to_owned(), next: next.to_owned() })
}

fn is_fresh(signed_in: &SignedIn) -> bool {
    signed_in.is_fresh(clock::now_us())
}
