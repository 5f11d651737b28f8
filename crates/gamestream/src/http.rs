//! HTTP and HTTPS as clients speak them: one GET a connection, answered with XML or a picture. Over
//! HTTP anybody may ask who the host is and pair; everything else needs the certificate of a paired
//! client.

use crate::answers::{Answer, Answers, Asker};
use crate::session::lock;
use crate::waiting_room::{Place, WaitingRoom};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Connections at a time, of each of the two, that have not asked for anything yet.
const MAX_WAITING: usize = 128;
/// From the first byte to a complete request header, and for a TLS handshake.
const REQUEST_HEAD: Duration = Duration::from_secs(10);
/// A pause after a connection could not be taken, so that a lack of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One of the two listeners.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    /// With it, connections are HTTPS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) answers: Arc<Answers>,
    /// Turns true once, when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Door {
    /// Serves until the server stops.
    pub(crate) async fn serve(self) {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            // A handle that is gone without a word means the same.
            _ = stopping.wait_for(|stop| *stop) => {}
            () = self.accept_all() => {}
        }
    }

    async fn accept_all(&self) {
        let room = WaitingRoom::new(MAX_WAITING);
        loop {
            match self.listener.accept().await {
                Ok((stream, client)) => {
                    let tls = self.tls.clone().map(TlsAcceptor::from);
                    let (place, given_up) = room.enter();
                    let connection = Connection {
                        answers: Arc::clone(&self.answers),
                        client: net::canonical(client),
                        place: Mutex::new(Some(place)),
                    };
                    let mut stopping = self.stopping.clone();
                    tokio::spawn(async move {
                        tokio::select! {
                            _ = stopping.wait_for(|stop| *stop) => {}
                            Ok(()) = given_up => {}
                            () = connection.serve(stream, tls) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a Moonlight client could not be let in");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

struct Connection {
    answers: Arc<Answers>,
    client: SocketAddr,
    /// Until it has asked for something.
    place: Mutex<Option<Place>>,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Answers are small; waiting for more of them would only delay them.
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let mut asker = Asker {
            client: self.client,
            local: net::canonical(local),
            https: tls.is_some(),
            certificate: None,
        };
        let Some(tls) = tls else {
            return self.answer(TokioIo::new(stream), asker).await;
        };
        let Ok(Ok(stream)) = tokio::time::timeout(REQUEST_HEAD, tls.accept(stream)).await else {
            return;
        };
        let presented = stream.get_ref().1.peer_certificates();
        asker.certificate = presented
            .and_then(|chain| chain.first())
            .map(|certificate| certificate.as_ref().to_vec());
        self.answer(TokioIo::new(stream), asker).await;
    }

    async fn answer<S>(&self, stream: S, asker: Asker)
    where
        S: hyper::rt::Read + hyper::rt::Write + Unpin,
    {
        let asker = &asker;
        let service = service_fn(async |request: Request<Incoming>| {
            drop(lock(&self.place).take());
            Ok::<_, Infallible>(response(self.answers.answer_to(&request, asker).await))
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_HEAD)
            .keep_alive(false)
            .max_buf_size(32 * 1024)
            .serve_connection(stream, service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, client = %asker.client, "a connection ended early");
        }
    }
}

impl Answers {
    async fn answer_to(self: &Arc<Self>, request: &Request<Incoming>, asker: &Asker) -> Answer {
        if request.method() != Method::GET {
            return Answer::NotFound;
        }
        let target = request.uri().path_and_query();
        self.answer(target.map_or("/", |target| target.as_str()), asker)
            .await
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let (status, kind, body) = match answer {
        Answer::Xml(xml) => (
            StatusCode::OK,
            gamestream_proto::http::CONTENT_TYPE,
            xml.into(),
        ),
        Answer::Png(bytes) => (StatusCode::OK, "image/png", Bytes::from(bytes)),
        Answer::NotFound => {
            let xml = gamestream_proto::http::not_found();
            (
                StatusCode::NOT_FOUND,
                gamestream_proto::http::CONTENT_TYPE,
                xml.into(),
            )
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
