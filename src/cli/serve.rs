//! `emberwell serve`

use std::io::Write;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Failure;
use crate::config::Settings;
use crate::server::{self, StartError};

/// Serves until a signal says to stop.
pub(super) fn serve(settings: Settings) -> Result<(), Failure> {
    if settings.server.demo && settings.server.open {
        eprintln!("emberwell: --demo needs no sign-in in this release: all that is on this server is open on loopback");
    }
    actix_web::rt::System::new().block_on(async {
        let running = server::start(settings).await.map_err(|error| match error {
            StartError::OpenBeyondLoopback | StartError::Address(_) => Failure::Usage(error.to_string()),
            other => Failure::failed(other),
        })?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
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

/// The one line that scripts wait for.
fn announce(url: &str) {
    let mut stdout = std::io::stdout().lock();
    if writeln!(stdout, "listening on {url}").and_then(|()| stdout.flush()).is_err() {
        tracing::debug!("Nobody reads stdout");
    }
}
