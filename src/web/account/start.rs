//! `GET /account`: how somebody signs in, where they are signed in, and what happened.

use actix_web::HttpResponse;
use actix_web::web::Data;
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth::apps::lasting_apps;
use crate::auth::sessions::is_live;
use crate::clock;
use crate::http::App;
use crate::store::{Account, Happened, Happening, Session, StoredPasskey};
use crate::web::account::words::{Line, Moment, line};
use crate::web::account::{device, work};
use crate::web::{Frame, Page, PageError, SignedInVisitor};

/// So many lines of what happened are shown, and of what was refused.
const HAPPENED: i64 = 20;
const REFUSED: i64 = 5;
/// So long after a new password the page says which apps keep their access.
const NEW_US: i64 = 24 * 3_600 * 1_000_000;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    account: Account,
    /// The apps that keep their access although the password is new.
    lasting: Vec<String>,
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
    lasting: Vec<String>,
    passkeys: Vec<StoredPasskey>,
    has_authenticator: bool,
    codes_left: i64,
    sessions: Vec<Session>,
    happened: Vec<Happened>,
    refused: Vec<Happened>,
}

/// `GET /account`
pub async fn page(who: SignedInVisitor, app: Data<App>) -> Result<HttpResponse, PageError> {
    let (id, now_us) = (who.signed_in.account.id, clock::now_us());
    let kept = work(&app, move |engine| {
        engine.store.read(|reader| {
            let authenticator = reader.authenticator(id)?;
            let happened = reader.happenings(id, false, HAPPENED)?;
            let lasting = match new_password_us(&happened, now_us) {
                Some(changed_us) => lasting_apps(reader, id, changed_us, now_us)?,
                None => Vec::new(),
            };
            Ok(Kept {
                lasting,
                passkeys: reader.passkeys_of(id)?,
                has_authenticator: authenticator.is_some_and(|app| app.confirmed_us.is_some()),
                codes_left: reader.recovery_codes_left(id)?,
                sessions: reader.sessions_of(id)?,
                happened,
                refused: reader.happenings(id, true, REFUSED)?,
            })
        })
    });
    let kept = kept.await??;
    let this = who.signed_in.session.hash;
    let sessions = kept.sessions.into_iter().filter(|session| is_live(session, now_us));
    let page = AccountPage {
        frame: who.visitor.frame(),
        account: who.signed_in.account,
        lasting: kept.lasting,
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

/// When the password was changed, if that is not long ago.
fn new_password_us(happened: &[Happened], now_us: i64) -> Option<i64> {
    let is_new = |it: &&Happened| {
        matches!(it.what, Happening::PasswordChanged | Happening::PasswordSetByOperator) && now_us < it.at_us + NEW_US
    };
    happened.iter().filter(is_new).map(|it| it.at_us).max()
}

fn passkey_row(kept: StoredPasskey) -> PasskeyRow {
    PasskeyRow {
        id: URL_SAFE_NO_PAD.encode(&kept.credential),
        name: kept.name,
        added: Moment::of(kept.created_us),
        used: kept.used_us.map(Moment::of),
    }
}
