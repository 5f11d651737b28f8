//! A session from its offer to its end, whichever way it is signalled.

use crate::app::App;
use crate::engine::{EndReason, Engine, Offer, OfferError, Signalling};
use events::ViewerId;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Both ends of the TCP connection that a request came over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) reached_at: SocketAddr,
}

/// A session that the engine runs. Dropping it ends it, so none outlives whoever asked for it.
pub(crate) struct LiveSession {
    viewer: ViewerId,
    engine: Arc<dyn Engine>,
    on_drop: Option<EndReason>,
    /// Numbers are collected exactly while somebody watches.
    _activity: stats::Activity,
}

impl LiveSession {
    pub(crate) fn viewer(&self) -> ViewerId {
        self.viewer
    }

    pub(crate) fn candidate(&self, candidate: &str) {
        self.engine.candidate(self.viewer, candidate.to_owned());
    }

    /// Ends it for `reason`.
    pub(crate) fn close(mut self, reason: EndReason) {
        self.on_drop = Some(reason);
    }

    /// The engine ended it: there is nothing left to end.
    pub(crate) fn forget(mut self) {
        self.on_drop = None;
    }
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        if let Some(reason) = self.on_drop {
            tracing::info!(viewer = self.viewer.0, ?reason, "session closed");
            self.engine.close(self.viewer, reason);
        }
    }
}

/// What came of an offer.
pub(crate) struct Negotiated {
    pub(crate) session: LiveSession,
    pub(crate) sdp: String,
    pub(crate) ended: oneshot::Receiver<EndReason>,
}

/// Asks the engine for a session.
pub(crate) async fn negotiate(
    app: &Arc<App>,
    sdp: String,
    via: Signalling,
    ends: Ends,
) -> Result<Negotiated, OfferError> {
    let engine = Arc::clone(&app.engine);
    let activity = app.stats.activity();
    // A task of its own: when the caller is gone or out of patience, an answer that comes all the
    // same is dropped there, and that ends its session.
    let asking = tokio::spawn(async move {
        let (reply, answer) = oneshot::channel();
        let (on_end, ended) = oneshot::channel();
        engine.offer(Offer {
            sdp,
            via,
            client: ends.client,
            reached_at: ends.reached_at,
            reply,
            ended: on_end,
        });
        let answer = answer.await.unwrap_or(Err(OfferError::Stopped))?;
        let session = LiveSession {
            viewer: answer.viewer,
            engine,
            on_drop: Some(EndReason::Quit),
            _activity: activity,
        };
        tracing::info!(viewer = answer.viewer.0, ?via, client = %ends.client, "session started");
        Ok(Negotiated {
            session,
            sdp: answer.sdp,
            ended,
        })
    });
    match tokio::time::timeout(app.limits.offer, asking).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panicked)) => Err(OfferError::Stopped),
        Err(_elapsed) => Err(OfferError::TimedOut),
    }
}
