//! The ceiling of reads: the same HTTP library with the same settings, answering what never changes.

use std::io::{self, Write};
use std::net::TcpListener;

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};

/// Answers every GET with `bytes` bytes until the process is told to stop.
pub fn serve_constant(listen: &str, bytes: usize) -> io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let body = Bytes::from(vec![b' '; bytes]);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let body = body.clone();
            App::new().route(
                "/",
                web::get().to(move || {
                    let body = body.clone();
                    async move { HttpResponse::Ok().content_type("application/fhir+json").body(body) }
                }),
            )
        })
        .workers(workers)
        .tcp_nodelay(true)
        .listen(listener)?
        .run();
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "listening on http://{address}")?;
        stdout.flush()?;
        server.await
    })
}
