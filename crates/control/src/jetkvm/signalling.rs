//! `/webrtc/signaling/client`: a client's way to a session. It is sent the host's version, then one
//! answer for each offer, and nothing else: some clients end the session at any other message.

use super::Front;
use crate::app::{App, Connection};
use crate::headers::{self, Sender};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jetkvm::signalling::{self, FromClient};
use sessions::{Identity, MAX_MESSAGE_BYTES, SessionHandle, sdpfrag};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

const READ_BUFFER_BYTES: usize = 16 * 1024;
/// So often the other side is asked whether it lives. It has as long to answer.
const PING_EVERY: Duration = Duration::from_secs(15);

/// `GET /webrtc/signaling/client`
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    // The cookie never travels with what another site's page asks for, so it is proof enough. Where
    // none is needed, the origin is all there is.
    let foreign = headers::sender(&headers, app.gate.uses_tls()) == Sender::ForeignPage;
    if foreign && app.gate.is_open() {
        let why = "the Origin of a WebSocket must be this host\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .on_upgrade(move |socket| async move {
            let mut talk = Signalling {
                app,
                socket,
                identity,
                connection,
                session: None,
            };
            let close = talk.run().await;
            talk.finish(close).await;
        })
}

struct Signalling {
    app: Arc<App>,
    socket: WebSocket,
    identity: Identity,
    connection: Connection,
    /// Candidates are for the session that this socket asked for, whoever came after it.
    session: Option<SessionHandle>,
}

/// Why it ends: the other side is gone, or we close it with these words.
type Close = Option<(u16, &'static str)>;

impl Signalling {
    async fn run(&mut self) -> Close {
        let app = Arc::clone(&self.app);
        let metadata = signalling::device_metadata(super::FIRMWARE);
        if let Err(close) = self.send(Message::text(metadata)).await {
            return close;
        }
        let mut heard = true;
        let mut ping_at = Instant::now() + PING_EVERY;
        loop {
            let turn = tokio::select! {
                biased;
                () = app.stopped() => return Some((close_code::AWAY, "the host stops")),
                message = self.socket.recv() => {
                    heard = true;
                    match message {
                        None | Some(Ok(Message::Close(_)) | Err(_)) => return None,
                        Some(Ok(Message::Text(text))) => self.take(text.as_str()).await,
                        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => Ok(()),
                    }
                }
                () = sleep_until(ping_at) => {
                    if !std::mem::replace(&mut heard, false) {
                        return None;
                    }
                    ping_at = Instant::now() + PING_EVERY;
                    self.send(Message::Ping(Default::default())).await
                }
            };
            if let Err(close) = turn {
                return close;
            }
        }
    }

    async fn take(&mut self, text: &str) -> Result<(), Close> {
        match FromClient::parse(text) {
            Ok(FromClient::Ping) => self.send(Message::text(signalling::PONG)).await,
            Ok(FromClient::Offer { sdp }) => self.offer(sdp).await,
            Ok(FromClient::Candidate { candidate }) => {
                if let (Ok(candidate), Some(session)) =
                    (sdpfrag::candidate(&candidate), &self.session)
                {
                    session.candidate(candidate);
                }
                Ok(())
            }
            Ok(FromClient::Unknown) => Ok(()),
            Err(error) => {
                let client = self.connection.ends.client;
                tracing::debug!(%client, %error, "a signalling message was ignored");
                Ok(())
            }
        }
    }

    async fn offer(&mut self, sdp: String) -> Result<(), Close> {
        let ends = self.connection.ends;
        let joined = Front::join(&self.app, sdp, self.identity.clone(), ends).await;
        match joined {
            Ok((session, sdp)) => {
                self.session = Some(session);
                self.send(Message::text(signalling::answer(&sdp))).await
            }
            Err(error) => {
                tracing::warn!(client = %ends.client, %error, "an offer was refused");
                Err(Some((close_code::ERROR, "the offer was refused")))
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Close> {
        let sent = timeout(self.app.limits.write, self.socket.send(message)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }

    async fn finish(&mut self, close: Close) {
        if let Some((code, reason)) = close {
            let reason = reason.into();
            let frame = Message::Close(Some(CloseFrame { code, reason }));
            // The other side may be gone by now.
            let _ = self.send(frame).await;
        }
    }
}
