//! The front door for clients made for JetKVM devices: their routes, their login, and one session at a
//! time, which is the hub's like any other.

mod door;
mod hands;
mod inlet;
mod signalling;
mod talk;

pub(crate) use door::{deny, device, login, logout, session, status};
pub(crate) use signalling::upgrade;

use crate::access::{Password, SecretDigest};
use crate::app::App;
use crate::config::JetKvm;
use control_api::Via;
use inlet::Inlet;
use sessions::{Ends, Identity, Joining, OfferError, SessionHandle};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use talk::Parts;
use tokio::sync::oneshot;

/// The version that clients are told: they speak older dialects to older ones.
const FIRMWARE: &str = "0.5.0";

/// What opens the gate to these clients.
pub(crate) fn password(config: &JetKvm) -> Password {
    Password {
        digest: SecretDigest::of(&config.password),
        cookie_name: jetkvm::http::COOKIE,
    }
}

/// What the routes share.
pub(crate) struct Front {
    /// Tells this host from others.
    device_id: String,
    loopback_only: bool,
    /// Tells the present session that another client took over.
    present: Mutex<Option<oneshot::Sender<()>>>,
}

impl Front {
    /// For clients that reach it at `local_addr`.
    pub(crate) fn new(config: &JetKvm, local_addr: SocketAddr) -> Self {
        Self {
            device_id: config.device_id.clone(),
            loopback_only: local_addr.ip().to_canonical().is_loopback(),
            present: Mutex::new(None),
        }
    }

    /// Starts a session. The one before hears of it at once and ends a little later, so that the
    /// encoder runs on.
    async fn join(
        app: &Arc<App>,
        sdp: String,
        identity: Identity,
        ends: Ends,
    ) -> Result<(SessionHandle, String), OfferError> {
        let Some(front) = &app.jetkvm else {
            return Err(OfferError::Stopped);
        };
        let (inlet, events) = Inlet::new();
        let joined = app
            .hub
            .join(Joining {
                sdp,
                identity,
                via: Via::JetKvm,
                ends: Some(ends),
                channels: Some(Arc::new(inlet)),
                notices: None,
            })
            .await?;
        let session = joined.session.handle();
        if !session.take_control() {
            tracing::debug!(viewer = session.viewer().0, "another session drives");
        }
        let (tell, replaced) = oneshot::channel();
        let before = {
            // One assignment, so a panic elsewhere does no harm.
            let mut present = front.present.lock().unwrap_or_else(PoisonError::into_inner);
            present.replace(tell)
        };
        if let Some(before) = before {
            // It may have ended by itself.
            let _ = before.send(());
        }
        let sdp = joined.sdp.clone();
        tokio::spawn(talk::serve(Parts {
            hub: app.hub.clone(),
            device_id: front.device_id.clone(),
            version: FIRMWARE.to_owned(),
            joined,
            events,
            replaced,
        }));
        Ok((session, sdp))
    }
}
