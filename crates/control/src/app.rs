//! What every request handler shares.

use crate::access::Gate;
use crate::config::Limits;
use crate::jetkvm;
use crate::whep::WhepSessions;
use sessions::{Ends, Hub};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};

pub(crate) struct App {
    pub(crate) hub: Hub,
    pub(crate) gate: Arc<Gate>,
    pub(crate) whep: WhepSessions,
    /// Clients made for JetKVM devices, where they are served.
    pub(crate) jetkvm: Option<jetkvm::Front>,
    pub(crate) limits: Limits,
    /// Turns true once, when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The connection a request came over.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) ends: Ends,
    /// The connection counts until the last user of it is gone: a WebSocket outlives its request.
    pub(crate) _permit: Arc<OwnedSemaphorePermit>,
}

impl App {
    /// Waits until the server stops.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // A handle that is gone without a word means the same.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}
