//! `POST [base]/$reindex`, `POST [base]/[type]/$reindex`, and `[base]/$reindex-status/[job]`
//!
//! Spec: R4 async.html

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path};

use crate::access::Caller;
use crate::fhir::{Issue, ResourceType, json, outcome};
use crate::http::body::{Body, ResourceBody, parse_value};
use crate::http::paths::TypePath;
use crate::http::response::{FHIR_JSON, FhirResponse};
use crate::http::wanted::Wanted;
use crate::http::{App, HttpError};
use crate::operations::{progress, report};
use crate::store::{Job, JobState};

/// Makes the index rows of all resources anew.
pub async fn of_all(
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<HttpResponse, HttpError> {
    begin(None, body, caller, app).await
}

/// Makes the index rows of one type anew.
pub async fn of_type(
    TypePath(resource_type): TypePath,
    ResourceBody(body): ResourceBody,
    caller: Caller,
    app: Data<App>,
) -> Result<HttpResponse, HttpError> {
    begin(Some(resource_type), body, caller, app).await
}

async fn begin(
    resource_type: Option<ResourceType>,
    body: Body,
    caller: Caller,
    app: Data<App>,
) -> Result<HttpResponse, HttpError> {
    // A client may send a Parameters resource as to any operation; there is nothing to say in it.
    if !body.bytes.is_empty() {
        let value = parse_value(&body.fhir_json()?, "Parameters")?;
        if value["resourceType"] != "Parameters" || value.get("parameter").is_some() {
            let problem = "$reindex takes no body, or a Parameters resource without parameters".to_owned();
            return Err(HttpError::Parameter { name: "parameter", problem });
        }
    }
    let shared = app.clone();
    let job = app.block(move |_| Ok::<_, HttpError>(shared.reindexer.start(&caller, resource_type)?)).await?;
    Ok(under_way(app.base(), &job))
}

/// How a job stands: 202 while it runs, 200 when it is done.
pub async fn status(
    id: Path<String>,
    wanted: Wanted,
    caller: Caller,
    app: Data<App>,
) -> Result<actix_web::Either<HttpResponse, FhirResponse>, HttpError> {
    let shared = app.clone();
    let job = app.block(move |_| Ok::<_, HttpError>(shared.reindexer.status(&caller, &id)?)).await?;
    let job = job.ok_or(HttpError::UnknownJob)?;
    match job.state {
        JobState::Running => Ok(actix_web::Either::Left(under_way(app.base(), &job))),
        JobState::Failed | JobState::Cancelled => Err(HttpError::JobFailed(job.error)),
        JobState::Done => {
            let mut body = Vec::new();
            json::write(&report(&job), &mut body);
            Ok(actix_web::Either::Right(FhirResponse::ok(body, wanted.format)))
        }
    }
}

/// Cancels a job that runs, and forgets one that has ended.
pub async fn cancel(
    id: Path<String>,
    wanted: Wanted,
    caller: Caller,
    app: Data<App>,
) -> Result<FhirResponse, HttpError> {
    let shared = app.clone();
    match app.block(move |_| Ok::<_, HttpError>(shared.reindexer.cancel(&caller, &id)?)).await? {
        true => Ok(FhirResponse::empty(StatusCode::ACCEPTED, wanted.format)),
        false => Err(HttpError::UnknownJob),
    }
}

fn under_way(base: &str, job: &Job) -> HttpResponse {
    let text = format!("{} have their index rows anew; ask at the address in Content-Location", progress(job));
    let mut body = Vec::new();
    json::write(&outcome(&[Issue::information(text)]), &mut body);
    HttpResponse::Accepted()
        .insert_header((header::CONTENT_LOCATION, format!("{base}/$reindex-status/{}", job.id)))
        .insert_header(("X-Progress", progress(job)))
        .insert_header((header::RETRY_AFTER, HeaderValue::from_static("1")))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((header::CONTENT_TYPE, FHIR_JSON))
        .body(body)
}
