//! The thread that hears the pings by which clients say where their video and audio go.

use crate::registry::{Kind, Registry};
use net::{Alarm, Port, readable, sleep};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Room for one receive, which the kernel may have coalesced.
const RECEIVE_BYTES: usize = 65_536;

/// The thread. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Pings {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Stop {
    raised: AtomicBool,
    alarm: Alarm,
}

impl Pings {
    pub(crate) fn start(
        video: Arc<Port>,
        audio: Arc<Port>,
        registry: Arc<Registry>,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(Stop {
            raised: AtomicBool::new(false),
            alarm: Alarm::new()?,
        });
        let seen = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("moonlight-pings".to_owned())
            .spawn(move || listen(&video, &audio, &registry, &seen))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

fn listen(video: &Port, audio: &Port, registry: &Registry, stop: &Stop) {
    let mut buffer = vec![0; RECEIVE_BYTES];
    while !stop.raised.load(Ordering::Acquire) {
        let mut fds = [readable(&stop.alarm), readable(video), readable(audio)];
        if let Err(error) = sleep(&mut fds, None) {
            tracing::error!(%error, "the pings of Moonlight clients are not heard any more");
            return;
        }
        for (port, kind) in [(video, Kind::Video), (audio, Kind::Audio)] {
            port.receive(&mut buffer, |route, bytes| {
                registry.ping(kind, route, bytes);
            });
        }
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        self.stop.raised.store(true, Ordering::Release);
        self.stop.alarm.ring();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that hears pings panicked");
        }
    }
}
