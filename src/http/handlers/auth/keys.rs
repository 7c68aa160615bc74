//! `GET /auth/jwks` and `GET /auth/smart-style-1.json`: what anybody may read of the authorization server.
//!
//! Spec: RFC 7517; SMART App Launch 2.2 scopes-and-launch-context.html#styling

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use serde_json::{Value, json};

use crate::clock;
use crate::http::handlers::auth::client::blocking;
use crate::http::oauth::OAuthError;
use crate::http::{App, HttpError};

/// The keys by which id_tokens are signed. A new one is there an hour before it signs, which is as long as this may be kept.
pub async fn keys(app: Data<App>) -> Result<HttpResponse, OAuthError> {
    let shared = app.clone();
    let keys = blocking(&app, move |engine| Ok(shared.auth.signing.published(&engine.store, clock::now_us())?)).await?;
    Ok(document(&keys, "application/jwk-set+json", "max-age=600"))
}

/// How an app may look, to fit in. Its address changes with its content.
pub async fn style() -> Result<HttpResponse, HttpError> {
    let style = json!({
        "color_background": "#fbf9f6",
        "color_error": "#a31515",
        "color_highlight": "#9a3412",
        "color_modal_backdrop": "",
        "color_success": "#1e6b3a",
        "color_text": "#22201d",
        "dim_border_radius": "6px",
        "dim_font_size": "17px",
        "dim_spacing_size": "16px",
        "font_family_body": "system-ui, sans-serif",
        "font_family_heading": "system-ui, sans-serif",
    });
    Ok(document(&style, "application/json", "public, max-age=31536000, immutable"))
}

fn document(body: &Value, media: &'static str, cache: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static(media)))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static(cache)))
        .body(body.to_string())
}
