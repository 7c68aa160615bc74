//! `GET /account`: how somebody signs in, where they are signed in, and what happened.

use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::sessions::is_live;
use crate::clock;
use crate::http::App;
use crate::store::{Account, Happened, Session, StoredPasskey};
use crate::web::account::words::{Line, Moment, line};
use crate::web::account::{device, work};
use crate::web::{Frame, Page, PageError, SignedInVisitor};

/// So many lines of what happened are shown, and of what was refused.
const HAPPENED: i64 = 20;
const REFUSED: i64 = 5;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    account: Account,
    has_passkeys: bool,
    passkeys: Vec<PasskeyRow>,
    has_authenticator: bool,
    codes_left: i64,
    has_providers: bool,
    sessions: Vec<SessionRow>,
    happened: Vec<Line>,
    refused: Vec<Line>,
}

struct PasskeyRow {
    id: String,
    name: String,
    added: Moment,
    used: Option<Moment>,
}

struct SessionRow {
    id: String,
    device: String,
    begun: Moment,
    seen: Moment,
    is_this: bool,
}

struct Kept {
    passkeys: Vec<StoredPasskey>,
    has_authenticator: bool,
    codes_left: i64,
    sessions: Vec<Session>,
    happened: Vec<Happened>,
    refused: Vec<Happened>,
}

/// `GET /account`
pub async fn page(who: SignedInVisitor, app: Data<App>) -> Result<HttpResponse, PageError> {
    let id = who.signed_in.account.id;
    let kept = work(&app, move |engine| {
        engine.store.read(|reader| {
            let authenticator = reader.authenticator(id)?;
            Ok(Kept {
                passkeys: reader.passkeys_of(id)?,
                has_authenticator: authenticator.is_some_and(|app| app.confirmed_us.is_some()),
                codes_left: reader.recovery_codes_left(id)?,
                sessions: reader.sessions_of(id)?,
                happened: reader.happenings(id, false, HAPPENED)?,
                refused: reader.happenings(id, true, REFUSED)?,
            })
        })
    });
    let kept = kept.await??;
    let now_us = clock::now_us();
    let this = who.signed_in.session.hash;
    let sessions = kept.sessions.into_iter().filter(|session| is_live(session, now_us));
    let page = AccountPage {
        frame: who.visitor.frame(),
        account: who.signed_in.account,
        has_passkeys: app.auth.sign_ins.has_passkeys(),
        passkeys: kept.passkeys.into_iter().map(passkey_row).collect(),
        has_authenticator: kept.has_authenticator,
        codes_left: kept.codes_left,
        has_providers: !app.auth.upstream.providers().is_empty(),
        sessions: sessions
            .map(|session| SessionRow {
                id: URL_SAFE_NO_PAD.encode(session.hash.as_bytes()),
                device: device::name(&session.agent),
                begun: Moment::of(session.created_us),
                seen: Moment::of(session.seen_us),
                is_this: session.hash == this,
            })
            .collect(),
        happened: kept.happened.iter().map(line).collect(),
        refused: kept.refused.iter().map(line).collect(),
    };
    Ok(Page::new(&who.visitor, &page)?.answer())
}

fn passkey_row(kept: StoredPasskey) -> PasskeyRow {
    PasskeyRow {
        id: URL_SAFE_NO_PAD.encode(&kept.credential),
        name: kept.name,
        added: Moment::of(kept.created_us),
        used: kept.used_us.map(Moment::of),
    }
}
