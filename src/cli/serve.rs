//! `emberwell serve`

use std::io::Write;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Failure;
use crate::config::Settings;
use crate::demo::PASSWORD;
use crate::server::{self, Running, StartError};

/// Serves until a signal says to stop.
pub(super) fn serve(settings: Settings) -> Result<(), Failure> {
    let is_demo = settings.server.demo;
    actix_web::rt::System::new().block_on(async {
        let running = server::start(settings).await.map_err(|error| match error {
            StartError::OpenBeyondLoopback | StartError::DemoBeyondLoopback | StartError::Address(_) => {
                Failure::Usage(error.to_string())
            }
            other => Failure::failed(other),
        })?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
        if is_demo {
            welcome(&running);
        }
        if let Some(link) = &running.set_up {
            eprintln!("emberwell: there is no account yet. Whoever opens this link makes the operator's: {link}");
        }
        announce(&running.url);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("Stopping: requests that were accepted are finished first");
        running.stop().await.map_err(Failure::failed)
    })
}

/// Tells whoever tries this out how to sign in.
fn welcome(running: &Running) {
    let (url, people) = (&running.url, &running.demonstrators);
    if people.is_empty() {
        eprintln!("emberwell: the database was in use before, so that --demo added nothing to it");
        return;
    }
    eprintln!(
        "emberwell: everybody here is made up. Open {url}/sample-app/ to see an app at work, and sign in as one of these:\n"
    );
    let width = people.iter().map(|person| person.email.len()).max().unwrap_or_default();
    for person in people {
        eprintln!("    {:width$}  {}, {}", person.email, person.name, person.about);
    }
    eprintln!("\n    password of each: {PASSWORD}\n");
}

/// The one line that scripts wait for.
fn announce(url: &str) {
    let mut stdout = std::io::stdout().lock();
    if writeln!(stdout, "listening on {url}").and_then(|()| stdout.flush()).is_err() {
        tracing::debug!("Nobody reads stdout");
    }
}
