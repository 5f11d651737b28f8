//! Capture from PipeWire itself, without its PulseAudio server in between.
//!
//! Owns the thread that PipeWire's loop runs in; refuses to decide what is captured, which `sinks`
//! does.

mod session;
mod sinks;
mod stream;

use crate::frame::AudioFrame;
use crate::priority;
use crate::source::{AudioServers, Heard, Source, SourceError, SourceInfo, SourceRequest};
use crate::stop::StopSignal;
use ::pipewire as pw;
use media::MonoTime;
use session::{Quit, Session};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use stream::{Inlet, Taken};

/// Name in the table of backends.
pub(crate) const NAME: &str = "pipewire";

/// Name and description of each sink of the server.
pub(crate) fn probe(
    servers: &AudioServers,
    stop: &StopSignal,
) -> Result<Vec<(String, String)>, SourceError> {
    let session = Session::open(servers.pipewire.as_deref(), stop)?;
    if !session.is_managed() {
        return Err(session.absent("it has no session manager, such as WirePlumber"));
    }
    let sinks = session.nodes().into_iter().filter(|node| node.is_sink);
    Ok(sinks.map(|sink| (sink.name, sink.description)).collect())
}

/// Sound of a PipeWire server. Its objects belong to one thread, in which its loop runs.
pub struct PipeWire {
    inlet: Arc<Inlet>,
    quit: pw::channel::Sender<Quit>,
    thread: Option<JoinHandle<()>>,
    /// The server in words, and what is captured.
    started: Started,
}

/// What the loop's thread tells when it captures.
#[derive(Clone, Debug)]
struct Started {
    server: String,
    detail: String,
}

impl std::fmt::Debug for PipeWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipeWire")
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}

impl PipeWire {
    /// Connects and starts to capture.
    ///
    /// # Errors
    /// [`SourceError::Absent`] without a server or a session manager, or for a target that it does
    /// not have.
    pub fn open(request: &SourceRequest, stop: &StopSignal) -> Result<Self, SourceError> {
        let inlet = Arc::new(Inlet::new(request.format)?);
        let (quit, quits) = pw::channel::channel();
        let (tell, told) = sync_channel(1);
        let in_thread = Capture {
            request: request.clone(),
            stop: stop.clone(),
            inlet: Arc::clone(&inlet),
        };
        let thread = std::thread::Builder::new()
            .name("audio-pipewire".to_owned())
            .spawn(move || in_thread.run(quits, &tell))?;
        // Every step of the thread has a deadline, and the stop signal ends it too.
        let started = told.recv().unwrap_or_else(|_| {
            Err(SourceError::Absent {
                what: "PipeWire".to_owned(),
                why: "its client library failed".to_owned(),
            })
        });
        match started {
            Ok(started) => Ok(Self {
                inlet,
                quit,
                thread: Some(thread),
                started,
            }),
            Err(error) => {
                let _ = thread.join();
                Err(error)
            }
        }
    }
}

/// What the loop's thread needs.
struct Capture {
    request: SourceRequest,
    stop: StopSignal,
    inlet: Arc<Inlet>,
}

impl Capture {
    /// Captures until told to quit, or until the server ends.
    fn run(
        self,
        quits: pw::channel::Receiver<Quit>,
        tell: &SyncSender<Result<Started, SourceError>>,
    ) {
        priority::raise();
        // The signal that ends the capture must not keep the host's sink from being put back;
        // without another the answer is still waited for only so long.
        let undisturbed = StopSignal::new().unwrap_or_else(|_| self.stop.clone());
        let opened = Session::open(self.request.servers.pipewire.as_deref(), &self.stop);
        let chosen = opened.and_then(|mut session| {
            let tap = sinks::choose(&mut session, &self.request, &self.stop)?;
            Ok((session, tap))
        });
        let (mut session, tap) = match chosen {
            Ok(chosen) => chosen,
            // Nobody listens any more only when the opener's thread has ended.
            Err(error) => return drop(tell.send(Err(error))),
        };
        match stream::connect(&session, self.request.format, &tap, &self.inlet) {
            Ok((_listener, stream)) => {
                let _ = tell.send(Ok(Started {
                    server: session.name().to_owned(),
                    detail: tap.detail,
                }));
                self.inlet_fails_with(session.run(quits));
                let _ = stream.disconnect();
            }
            Err(error) => drop(tell.send(Err(session.absent(error)))),
        }
        if let Some(own) = tap.own {
            own.remove(&mut session, &undisturbed);
        }
    }

    fn inlet_fails_with(&self, why: Option<String>) {
        if let Some(why) = why {
            self.inlet.fail(why);
        }
    }
}

impl Source for PipeWire {
    fn info(&self) -> SourceInfo {
        let Started { server, detail } = &self.started;
        SourceInfo {
            name: NAME,
            detail: format!("{detail}, {server}"),
        }
    }

    fn next_frame(
        &mut self,
        frame: &mut AudioFrame,
        deadline: MonoTime,
        stop: &StopSignal,
    ) -> Result<Heard, SourceError> {
        loop {
            if stop.is_raised() {
                return Ok(Heard::Stopped);
            }
            match self.inlet.take(frame) {
                Taken::Frame => return Ok(Heard::Frame),
                Taken::Failure(why) => {
                    return Err(SourceError::Absent {
                        what: self.started.server.clone(),
                        why,
                    });
                }
                Taken::Nothing if MonoTime::now() >= deadline => return Ok(Heard::Late),
                Taken::Nothing => stop.wait_until(Some(self.inlet.fd()), deadline)?,
            }
        }
    }
}

impl Drop for PipeWire {
    fn drop(&mut self) {
        // It fails only when the loop has ended.
        let _ = self.quit.send(Quit);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of PipeWire panicked");
        }
    }
}
