//! RTSP over TCP: one request a connection, which belongs to a launch or is closed without a word.

use crate::lobby::{Announced, Heard, Lobby};
use crate::start::Starter;
use crate::waiting_room::{Place, WaitingRoom};
use gamestream_proto::rtsp::{MAX_BODY_BYTES, MAX_HEAD_BYTES};
use media::MonoTime;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Connections at a time: one that comes ends the one that has waited longest.
const MAX_CONNECTIONS: usize = 64;
/// A request comes, and its answer goes, within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest request, with what sealing adds.
const MAX_REQUEST_BYTES: usize = MAX_HEAD_BYTES + MAX_BODY_BYTES + 64;
/// A pause after a connection could not be taken, so that a lack of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The RTSP port.
pub(crate) struct RtspPort {
    pub(crate) listener: TcpListener,
    pub(crate) lobby: Arc<Lobby>,
    pub(crate) starter: Arc<Starter>,
    /// Turns true once, when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl RtspPort {
    /// Serves until the server stops.
    pub(crate) async fn serve(self) {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => {}
            () = self.accept_all() => {}
        }
    }

    async fn accept_all(&self) {
        let room = WaitingRoom::new(MAX_CONNECTIONS);
        loop {
            match self.listener.accept().await {
                Ok((stream, client)) => {
                    let (place, given_up) = room.enter();
                    let exchange = Exchange {
                        lobby: Arc::clone(&self.lobby),
                        starter: Arc::clone(&self.starter),
                        client: client.ip().to_canonical(),
                        _place: place,
                    };
                    // One that neither says nor takes anything is not waited for.
                    tokio::spawn(async move {
                        tokio::select! {
                            Ok(()) = given_up => {}
                            _ = timeout(PATIENCE, exchange.run(stream)) => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "an RTSP connection could not be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// One connection.
struct Exchange {
    lobby: Arc<Lobby>,
    starter: Arc<Starter>,
    client: IpAddr,
    _place: Place,
}

impl Exchange {
    async fn run(self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut received = Vec::new();
        let answer = loop {
            let heard = match received.is_empty() {
                true => Heard::Incomplete,
                false => self.lobby.hear(self.client, &received, MonoTime::now()),
            };
            match heard {
                Heard::Answer(answer) => break Some(answer),
                Heard::Announced(announced) => break self.start(*announced),
                Heard::Nobodys => break None,
                Heard::Incomplete if received.len() >= MAX_REQUEST_BYTES => break None,
                Heard::Incomplete => {}
            }
            match stream.read_buf(&mut received).await {
                Ok(read) if read > 0 => {}
                _ => break None,
            }
        };
        // Clients read until the host closes, which dropping does.
        if let Some(answer) = answer
            && stream.write_all(&answer).await.is_ok()
        {
            let _ = stream.shutdown().await;
        }
    }

    fn start(&self, announced: Announced) -> Option<Vec<u8>> {
        let viewer = announced.launch.viewer;
        let (status, pending) = self.starter.start(announced);
        self.lobby.answer(viewer, pending, status)
    }
}
