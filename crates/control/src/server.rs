//! The port: binding, telling TLS, HTTP and ICE-TCP apart, stopping. It is served on the hub's thread.

use crate::access::{Gate, GateConfig, ShareLinks};
use crate::app::{App, Connection};
use crate::config::{AccessMode, Config};
use crate::error::Error;
use crate::management::{self, Socket};
use crate::tls::{self, Fingerprint, Identity};
use crate::whep::WhepSessions;
use crate::{headers, jetkvm, pages, routes};
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use control_api::EndReason;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use sessions::{Ends, Hub};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// First byte of a TLS connection: a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;
/// ICE-TCP starts with the length of a STUN request, which is far below 1024: its high byte is one of
/// these. HTTP starts with a letter.
const ICE_TCP: std::ops::RangeInclusive<u8> = 0x00..=0x03;
/// Request heads are small; bodies have a limit of their own.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the front door works with.
pub struct Parts {
    /// The hub that sessions live in.
    pub hub: Hub,
    /// Gets each one-time link when it becomes valid, the first one before [`Server::start`] returns.
    /// Called from the thread that serves, so it must not wait. Never called with open access.
    pub on_link: Box<dyn Fn(&str) + Send + Sync>,
}

/// The front door.
#[derive(Debug)]
pub struct Server;

/// A running front door. Dropping it closes it.
#[derive(Debug)]
pub struct Handle {
    local_addr: SocketAddr,
    url: String,
    fingerprint: Option<Fingerprint>,
    player_token: String,
    stop: watch::Sender<bool>,
    /// Hears nothing, and breaks off when nothing is served any more.
    served: mpsc::Receiver<()>,
}

/// An open port that nobody serves yet. Connections wait in the system's queue.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    local_addr: SocketAddr,
}

impl Server {
    /// Opens the port and serves it.
    ///
    /// # Errors
    /// [`Error`] says what is wrong and what to do; nothing was started then.
    pub fn start(config: &Config, parts: Parts) -> Result<Handle, Error> {
        Self::bind(config)?.start(config, parts)
    }

    /// Opens the port alone, for what must know that it can be had, and its number.
    ///
    /// # Errors
    /// [`Error`] says what is wrong and what to do.
    pub fn bind(config: &Config) -> Result<Bound, Error> {
        let address = config.listen;
        if config.access == AccessMode::Open && !address.ip().to_canonical().is_loopback() {
            return Err(Error::OpenBeyondLoopback { address });
        }
        let listener = bind(address).map_err(|source| Error::from_bind(address, source))?;
        let local_addr = listener
            .local_addr()
            .map_err(|source| Error::Listen { address, source })?;
        Ok(Bound {
            listener,
            local_addr,
        })
    }
}

impl Bound {
    /// Where it listens: with the port's number also where a free one was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves the port.
    ///
    /// # Errors
    /// [`Error`] says what is wrong and what to do; the port is closed then.
    pub fn start(self, config: &Config, parts: Parts) -> Result<Handle, Error> {
        let Self {
            listener,
            local_addr,
        } = self;
        let identity = config
            .uses_tls()
            .then(|| tls::identity(config))
            .transpose()?;
        let url = base_url(config, local_addr);
        let gate = GateConfig {
            mode: config.access,
            base_url: url.clone(),
            port: local_addr.port(),
            tls: identity.is_some(),
            names: config.names.clone(),
            password: config.jetkvm.as_ref().map(jetkvm::password),
            on_link: parts.on_link,
        };
        let (stop, stopping) = watch::channel(false);
        let (gate, player_token) = Gate::new(gate, Instant::now())?;
        let socket = config.management.as_deref().map(Socket::open).transpose()?;
        let gate = Arc::new(gate);
        let links = ShareLinks::new(Arc::clone(&gate), parts.hub.downgrade());
        parts.hub.set_links(Arc::new(links));
        let app = Arc::new(App {
            hub: parts.hub,
            gate,
            whep: WhepSessions::new(),
            jetkvm: config
                .jetkvm
                .as_ref()
                .map(|of| jetkvm::Front::new(of, local_addr)),
            limits: config.limits,
            stopping,
        });
        let fingerprint = identity
            .as_ref()
            .map(|identity| identity.fingerprint.clone());
        let (serving, served) = mpsc::channel();
        let runtime = app.hub.runtime().clone();
        runtime.spawn(async move {
            let managed = async {
                if let Some(socket) = socket {
                    management::serve(socket, &app).await;
                }
            };
            tokio::join!(serve(listener, Arc::clone(&app), identity), managed);
            drop(serving);
        });
        Ok(Handle {
            local_addr,
            url,
            fingerprint,
            player_token: player_token.expose().to_owned(),
            stop,
            served,
        })
    }
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where the page is, such as `https://192.0.2.7:8080`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate's fingerprint; nothing without TLS.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.fingerprint.as_ref()
    }

    /// This run's token for players: `Authorization: Bearer …` on `/whep`.
    #[must_use]
    pub fn player_token(&self) -> &str {
        &self.player_token
    }

    /// Tells everybody, closes every session and the port, and waits until that is done.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // Nothing is ever sent: the wait ends when the other end is dropped.
        let _ = self.served.recv();
    }
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The address to print: where everything is listened on, one that other machines can use.
fn base_url(config: &Config, local_addr: SocketAddr) -> String {
    let scheme = if config.uses_tls() { "https" } else { "http" };
    let mut ip = local_addr.ip();
    if ip.is_unspecified() {
        let reachable = |ip: &&IpAddr| !ip.is_loopback() && !ip.is_unspecified();
        let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = config
            .addresses
            .iter()
            .filter(reachable)
            .partition(|ip| ip.is_ipv4());
        let best = v4.first().or(v6.first()).copied();
        ip = best.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    }
    format!("{scheme}://{}", SocketAddr::new(ip, local_addr.port()))
}

async fn serve(listener: std::net::TcpListener, app: Arc<App>, identity: Option<Identity>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the port cannot be served");
            return;
        }
    };
    let door = Arc::new(Door {
        router: TowerToHyperService::new(routes::router(&app)),
        tls: identity.map(|identity| TlsAcceptor::from(identity.server)),
        app,
    });
    let permits = Arc::new(Semaphore::new(door.app.limits.connections));
    tokio::select! {
        () = door.app.stopped() => {}
        () = accept_all(&listener, &door, &permits) => {}
    }
    drop(listener);
    door.app.whep.close_all(EndReason::HostStopped);
    // Every connection holds a permit until it is over, so having all of them means that all are.
    let all = u32::try_from(door.app.limits.connections).unwrap_or(u32::MAX);
    if timeout(door.app.limits.teardown, permits.acquire_many(all))
        .await
        .is_err()
    {
        tracing::debug!("connections are cut off that did not end in time");
    }
}

async fn accept_all(listener: &TcpListener, door: &Arc<Door>, permits: &Arc<Semaphore>) {
    // The semaphore is never closed. When nothing is left, connections wait in the system's queue.
    while let Ok(permit) = Arc::clone(permits).acquire_owned().await {
        let accepted = listener.accept().await;
        let ends = accepted.and_then(|(stream, client)| {
            let reached_at = stream.local_addr()?;
            Ok((stream, Ends { client, reached_at }))
        });
        match ends {
            Ok((stream, ends)) => {
                let connection = Connection {
                    ends,
                    _permit: Arc::new(permit),
                };
                tokio::spawn(Arc::clone(door).admit(stream, connection));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Door {
    app: Arc<App>,
    router: TowerToHyperService<axum::Router>,
    tls: Option<TlsAcceptor>,
}

impl Door {
    /// Serves one connection, whatever it speaks.
    async fn admit(self: Arc<Self>, stream: TcpStream, connection: Connection) {
        let client = connection.ends.client;
        if let Err(error) = self.sort(stream, connection).await {
            tracing::debug!(%error, %client, "connection ended");
        }
    }

    async fn sort(&self, stream: TcpStream, connection: Connection) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut first = [0];
        if self.soon(stream.peek(&mut first)).await? == 0 {
            return Ok(());
        }
        match (first[0], &self.tls) {
            (byte, _) if ICE_TCP.contains(&byte) => {
                self.app.hub.engine().accept_ice_tcp(stream.into_std()?);
                Ok(())
            }
            (TLS_HANDSHAKE, Some(acceptor)) => {
                let stream = self.soon(acceptor.accept(stream)).await?;
                self.serve_page(stream, connection).await
            }
            (_, Some(_)) => {
                let answer = |request| async move { Ok::<_, Infallible>(point_to_tls(&request)) };
                self.serve_http(stream, service_fn(answer)).await
            }
            (_, None) => self.serve_page(stream, connection).await,
        }
    }

    /// A step before the first request: bounded in time, and dropped when the server stops.
    async fn soon<T>(&self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        tokio::select! {
            done = timeout(self.app.limits.request_head, step) => done?,
            () = self.app.stopped() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    async fn serve_page<S>(&self, stream: S, connection: Connection) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            router.call(request)
        });
        self.serve_http(stream, service).await
    }

    async fn serve_http<S, T>(&self, stream: S, service: T) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: HttpService<Incoming, ResBody = Body, Error = Infallible>,
    {
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.app.limits.request_head)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(serving);
        let served = tokio::select! {
            served = serving.as_mut() => served,
            () = self.app.stopped() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        served.map_err(io::Error::other)
    }
}

/// Plain HTTP on the TLS port. A visitor is sent on, but without the query: a link's token that went
/// over the network in the clear must not open anything.
fn point_to_tls<B>(request: &Request<B>) -> Response<Body> {
    let Some(host) = headers::host(request.headers()) else {
        return (StatusCode::BAD_REQUEST, "this port speaks HTTPS\n").into_response();
    };
    let url = format!("https://{}{}", host.to_url_part(), request.uri().path());
    let mut response = pages::speak_tls(&url);
    let visits = request.method().is_safe() && request.uri().query().is_none();
    if visits && let Ok(location) = url.parse() {
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        response
            .headers_mut()
            .insert(axum::http::header::LOCATION, location);
    }
    response
}
