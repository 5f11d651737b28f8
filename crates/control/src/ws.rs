//! The page's WebSocket: it carries a conversation, and a heartbeat. Only a message that is too long,
//! or silence, ends it.

use crate::app::{App, Connection};
use crate::headers::{self, Sender};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use control_api::{EndReason, Via};
use sessions::{Conversation, Farewell, Identity, Out, Peer, Taken};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// Messages up to this are read whole, so that one which is too long can be answered properly. Beyond
/// it the connection just ends.
const MAX_READ_BYTES: usize = 1024 * 1024;
const READ_BUFFER_BYTES: usize = 16 * 1024;
/// How long the other side gets to answer our close.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// `GET /api/ws`
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Connection>,
    Extension(identity): Extension<Identity>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Browsers let every page open a WebSocket to everywhere, and send its origin along.
    if headers::sender(&headers, app.gate.uses_tls()) != Sender::OwnPage {
        let why = "the Origin of a WebSocket must be this host\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    upgrade
        .max_message_size(MAX_READ_BYTES)
        .max_frame_size(MAX_READ_BYTES)
        .read_buffer_size(READ_BUFFER_BYTES)
        .on_upgrade(move |socket| async move {
            let peer = Peer::new(identity, Via::WebSocket, Some(connection.ends));
            let client = connection.ends.client;
            // A login that ended on the way here has nobody to talk to.
            if let Some(conversation) = app.hub.converse(peer) {
                let mut line = Line::new(app, socket, client);
                line.carry(conversation).await;
            }
            drop(connection);
        })
}

/// Why a conversation ends.
enum Ending {
    /// The other side closed it.
    Left,
    /// The other side is gone, or talks nonsense.
    Broken,
    /// We close it, with a code and a reason.
    Close(u16, &'static str),
    /// The host stops.
    HostStops,
}

struct Line {
    app: Arc<App>,
    socket: WebSocket,
    client: SocketAddr,
    heard: Instant,
}

impl Line {
    fn new(app: Arc<App>, socket: WebSocket, client: SocketAddr) -> Self {
        Self {
            app,
            socket,
            client,
            heard: Instant::now(),
        }
    }

    async fn carry(&mut self, mut conversation: Conversation) {
        let ending = self.run(&mut conversation).await;
        let (reason, close) = match ending {
            Ending::Left => (EndReason::Quit, None),
            Ending::Broken => {
                let words = "not a WebSocket message, or far too long";
                (EndReason::Lost, Some((close_code::PROTOCOL, words)))
            }
            Ending::Close(code, words) => (EndReason::Error, Some((code, words))),
            Ending::HostStops => (
                EndReason::HostStopped,
                Some((close_code::AWAY, "the host stops")),
            ),
        };
        let rest = conversation.finish(reason).await;
        if let Some((code, words)) = close {
            // The other side may be gone or in no hurry; either way it is over after this.
            let _ = timeout(CLOSE_GRACE, self.farewell(rest, code, words)).await;
        }
    }

    async fn run(&mut self, conversation: &mut Conversation) -> Ending {
        let app = Arc::clone(&self.app);
        loop {
            let limit = if conversation.has_session() {
                app.limits.session_silence
            } else {
                app.limits.connection_silence
            };
            let silent_at = self.heard + limit;
            // In this order: what waits to be sent goes before the next message is read, so answers
            // cannot pile up; what was received counts before silence does.
            let turn = tokio::select! {
                biased;
                () = app.stopped() => return Ending::HostStops,
                out = conversation.next() => match out {
                    Out::Text(text) => self.send(text).await,
                    Out::End(Farewell::LoggedOut) => {
                        Err(Ending::Close(close_code::POLICY, "the login has ended"))
                    }
                },
                message = self.socket.recv() => self.received(conversation, message).await,
                () = sleep_until(silent_at) => {
                    // First the session goes, then the connection.
                    if conversation.end_session(EndReason::Timeout) {
                        Ok(())
                    } else {
                        Err(Ending::Close(close_code::POLICY, "silent for too long"))
                    }
                }
            };
            if let Err(ending) = turn {
                return ending;
            }
        }
    }

    async fn received(
        &mut self,
        conversation: &mut Conversation,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<(), Ending> {
        self.heard = Instant::now();
        let message = match message {
            None | Some(Ok(Message::Close(_))) => return Err(Ending::Left),
            Some(Err(error)) => {
                tracing::debug!(%error, client = %self.client, "WebSocket broke");
                return Err(Ending::Broken);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message.into_data(),
        };
        match conversation.take(&message) {
            Taken::Nothing => Ok(()),
            // Sent before the next message is read, so that a flood of bad ones fills no queue.
            Taken::Reply(text) => self.send(text).await,
            Taken::TooLong(text) => {
                self.send(text).await?;
                Err(Ending::Close(close_code::SIZE, "the message is too long"))
            }
        }
    }

    async fn send(&mut self, text: String) -> Result<(), Ending> {
        let sent = timeout(self.app.limits.write, self.socket.send(Message::text(text))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ending::Broken),
        }
    }

    async fn farewell(
        &mut self,
        rest: Vec<String>,
        code: u16,
        words: &'static str,
    ) -> Result<(), axum::Error> {
        for text in rest {
            self.socket.send(Message::text(text)).await?;
        }
        let frame = CloseFrame {
            code,
            reason: words.into(),
        };
        self.socket.send(Message::Close(Some(frame))).await?;
        // What the other side still sends is read, because closing on unread bytes resets the
        // connection, and the close frame would be lost with it.
        while let Some(Ok(_)) = self.socket.recv().await {}
        Ok(())
    }
}
