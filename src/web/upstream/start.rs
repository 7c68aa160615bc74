//! `GET /auth/upstream/{name}/start`

use actix_web::http::header;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::auth::upstream::Purpose;
use crate::clock;
use crate::http::{App, HttpError};
use crate::web::session::own_address;
use crate::web::sign_in::add_cookie;
use crate::web::upstream::{cookie, fresh, problem};
use crate::web::{PageError, SignedInVisitor, Visitor};

/// The longest address that is gone on to afterwards: it has to fit into a cookie, with the rest.
const MOST_NEXT_BYTES: usize = 2000;

/// What for, and where to go on.
#[derive(Debug, Deserialize)]
pub struct Start {
    next: Option<String>,
    /// `link`, or `again` to show that one is still there; to sign in when it is missing.
    #[serde(rename = "for")]
    purpose: Option<String>,
}

/// Sends the person to the provider.
pub async fn start(
    request: HttpRequest,
    visitor: Visitor,
    name: Path<String>,
    query: Query<Start>,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let provider = app.auth.upstream.named(&name).ok_or(HttpError::UnknownAddress)?;
    let here = request.uri().path_and_query().map_or("/", |address| address.as_str());
    let signed_in = || SignedInVisitor::of(visitor.clone(), here).map(|visitor| visitor.signed_in);
    let purpose = match query.purpose.as_deref() {
        Some("link") => Purpose::Link { account: fresh(&signed_in()?, visitor.root(), here)?.account.id },
        Some("again") => Purpose::Again { account: signed_in()?.account.id },
        _ => Purpose::SignIn,
    };
    let next = own_address(query.next.as_deref().filter(|next| next.len() <= MOST_NEXT_BYTES));
    let (address, attempt) = match provider.begin(purpose, next, clock::now_us()).await {
        Ok(begun) => begun,
        Err(error) => return problem::page(&visitor, provider, error),
    };
    let mut response = HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish();
    let sealed = attempt.sealed(app.engine.store.seal(), visitor.csrf());
    add_cookie(&mut response, &cookie::keeping(&app, sealed));
    if let Some(visit) = visitor.fresh_cookie() {
        add_cookie(&mut response, &visit);
    }
    Ok(response)
}
