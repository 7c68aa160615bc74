//! The routes on a listening socket.
//!
//! What actix-web's own `HttpServer` does, but with streams of our own: it takes none.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Extensions, Server};
use actix_web::middleware::{Compress, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{App as WebApp, Error, web as actix};

use crate::config::NetworkSettings;
use crate::http::{self, App, Lines, Wire};
use crate::server::sample_app;
use crate::web;

/// Requests that are under way when the server stops get so long to end.
const LAST_REQUESTS_SECONDS: u64 = 30;
/// A client that still sends what was refused is listened to for so long, so that it reads why.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// The server, which runs when it is awaited.
pub fn server(
    listener: TcpListener,
    app: actix::Data<App>,
    lines: Arc<Lines>,
    connections_at_once: usize,
    workers: usize,
    threads: usize,
    is_demo: bool,
) -> io::Result<Server> {
    let builder = Server::build()
        .workers(workers)
        .worker_max_blocking_threads(threads)
        .max_concurrent_connections(connections_at_once.div_ceil(workers))
        .shutdown_timeout(LAST_REQUESTS_SECONDS)
        // `cli` listens for signals; a test that runs several servers must not.
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let listening = builder.listen("emberwell", listener, move || {
        let stopping = stopping.clone();
        let stops = move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        };
        let (app, lines) = (app.clone(), Arc::clone(&lines));
        connections(Arc::clone(&app), lines).and_then(requests(app, is_demo, stops))
    });
    Ok(listening?.run())
}

type Connection = (Wire, Option<std::net::SocketAddr>);

/// Takes a connection, unless its address has too many.
fn connections(
    app: Arc<App>,
    lines: Arc<Lines>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = Connection, Error = DispatchError, InitError = ()> {
    fn_service(move |stream: TcpStream| {
        let taken = taken(stream, &app, &lines);
        async move { Ok(taken?) }
    })
}

fn taken(stream: TcpStream, app: &App, lines: &Arc<Lines>) -> io::Result<Connection> {
    let peer = stream.peer_addr()?;
    let line = lines.open(peer.ip()).ok_or_else(|| {
        tracing::info!("A connection was refused: its address has too many");
        io::Error::from(io::ErrorKind::ConnectionRefused)
    })?;
    stream.set_nodelay(true)?;
    Ok((app.wire(stream, line), Some(peer)))
}

/// Answers the requests of a connection.
fn requests<S: Future<Output = ()> + 'static>(
    app: actix::Data<App>,
    is_demo: bool,
    stops: impl Fn() -> S + 'static,
) -> impl ServiceFactory<Connection, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let network: Arc<NetworkSettings> = app.network();
    let routes = WebApp::new()
        .app_data(app)
        .configure(http::configure)
        .configure(web::configure)
        .configure(|config| {
            if is_demo {
                sample_app::configure(config);
            }
        })
        .default_service(actix::to(web::unknown_address))
        .wrap(from_fn(web::framed))
        .wrap(Compress::default())
        .wrap(from_fn(http::challenged))
        .wrap(from_fn(http::told))
        .wrap(from_fn(http::cors))
        .wrap(from_fn(http::edge));
    let routes = routes.into_factory().map_err(|error: Error| error.error_response());
    HttpService::build()
        .graceful_shutdown_signal(stops)
        .keep_alive(network.idle_time)
        .client_request_timeout(network.head_time)
        .client_disconnect_timeout(LAST_BYTES)
        .on_connect_ext(|wire: &Wire, data: &mut Extensions| {
            data.insert(wire.phase());
        })
        .h1(map_config(routes, |()| AppConfig::default()))
}
