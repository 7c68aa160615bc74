//! `/developer/review`: the operator says how far apps may be used, and for whom they vouch.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use askama::Template;

use crate::clock;
use crate::http::{App, HttpError};
use crate::records::{RecordError, Registrar, approve, looks, must_look_so, suspend, verify};
use crate::store::{Client, ClientState, Role};
use crate::web::session::SignedInVisitor;
use crate::web::sign_in::go_on;
use crate::web::{Frame, Page, PageError, PageForm};

const ADDRESS: &str = "/developer/review";

#[derive(Template)]
#[template(path = "developer_review.html")]
struct Review {
    frame: Frame,
    /// Each with a digest of what is shown of it.
    apps: Vec<(Client, String)>,
}

/// To everybody else there is no such page.
fn operator(visitor: SignedInVisitor) -> Result<SignedInVisitor, PageError> {
    match visitor.signed_in.account.role {
        Role::Operator => Ok(visitor),
        Role::Person | Role::Professional => Err(HttpError::UnknownAddress.into()),
    }
}

/// `GET /developer/review`: those first that wait.
pub async fn review(visitor: SignedInVisitor, app: Data<App>) -> Result<Page, PageError> {
    let SignedInVisitor { visitor, .. } = operator(visitor)?;
    let read = app.block(|engine| {
        Ok::<_, HttpError>(engine.store.read(|reader| {
            let clients = reader.clients()?;
            let looked = |client: Client| Ok::<_, RecordError>((client.clone(), looks(reader, &client)?));
            clients.into_iter().map(looked).collect::<Result<Vec<_>, _>>()
        }))
    });
    let mut apps = read.await??;
    apps.sort_by_key(|(client, _)| client.state() != ClientState::Sandbox);
    Page::new(&visitor, &Review { frame: visitor.frame(), apps })
}

/// `POST /developer/review`: `decision` about `client_id`. What lets it in, or vouches for it, counts only for what was shown; to stop it
/// needs no look.
pub async fn decide(form: PageForm, app: Data<App>) -> Result<HttpResponse, PageError> {
    let SignedInVisitor { visitor, signed_in } = operator(SignedInVisitor::of(form.visitor.clone(), ADDRESS)?)?;
    if !signed_in.is_fresh(clock::now_us()) {
        return Err(PageError::ShowAgain { root: visitor.root().to_owned(), next: ADDRESS.to_owned() });
    }
    let id = form.get("client_id").unwrap_or_default().to_owned();
    let decision = form.get("decision").unwrap_or_default().to_owned();
    let seen = form.get("seen").unwrap_or_default().to_owned();
    if !matches!(decision.as_str(), "approve" | "verify" | "unverify" | "suspend") {
        let text = "The form did not say what to do with the app. Go back and choose one of the buttons.";
        return Err(PageError::told(StatusCode::BAD_REQUEST, "Nothing was decided", text));
    }
    let by = Registrar::Account(signed_in.account.id);
    let done = app.block(move |engine| {
        Ok::<_, HttpError>(engine.store.write(move |tx| {
            if matches!(decision.as_str(), "approve" | "verify") {
                must_look_so(tx, &id, &seen)?;
            }
            match decision.as_str() {
                "approve" => approve(tx, &id, by, clock::now_us()),
                "verify" => verify(tx, &id, true, by, clock::now_us()),
                "unverify" => verify(tx, &id, false, by, clock::now_us()),
                _ => suspend(tx, &id, by),
            }
        }))
    });
    match done.await? {
        Err(RecordError::ChangedMeanwhile) => {
            let text = "The app was changed since the page was made. Load the page anew, and look at the app again.";
            Err(PageError::told(StatusCode::CONFLICT, "Nothing was decided", text))
        }
        done => {
            done?;
            Ok(go_on(visitor.root(), ADDRESS))
        }
    }
}
