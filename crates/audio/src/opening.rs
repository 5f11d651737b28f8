//! Opens a source away from the thread that keeps listeners served, again and again until it is there.

use crate::backends::{self, AudioSpec};
use crate::source::{Source, SourceError, SourceRequest};
use crate::stop::StopSignal;
use media::MonoTime;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two attempts.
const RETRY: Duration = Duration::from_millis(500);

/// What came of opening so far.
pub(crate) enum Progress {
    /// The source.
    Opened(Box<dyn Source>),
    /// It failed, in words. Further attempts are made where they can help.
    Failed(String),
}

/// What is opened, and what has to end first.
pub(crate) struct ToOpen {
    pub(crate) spec: AudioSpec,
    pub(crate) request: SourceRequest,
    pub(crate) stop: StopSignal,
    /// Streams that still put back what they changed on the host.
    pub(crate) predecessors: Vec<JoinHandle<()>>,
}

/// A thread that opens a source. Dropping it waits for the attempt that is under way.
pub(crate) struct Opening {
    news: Arc<Mutex<Option<Progress>>>,
    /// Raised at each news that matters for good.
    done: StopSignal,
    /// Ends the attempts: the stream's, or this one being dropped.
    thread: Option<JoinHandle<()>>,
}

impl Opening {
    pub(crate) fn start(what: ToOpen) -> std::io::Result<Self> {
        let news = Arc::new(Mutex::new(None));
        let done = StopSignal::new()?;
        let (told, raise) = (Arc::clone(&news), done.clone());
        let thread = std::thread::Builder::new()
            .name("audio-open".to_owned())
            .spawn(move || attempts(what, &told, &raise))?;
        Ok(Self {
            news,
            done,
            thread: Some(thread),
        })
    }

    /// Sleeps until the source is there, the deadline or the stop signal.
    pub(crate) fn wait(&self, deadline: MonoTime, stop: &StopSignal) -> std::io::Result<()> {
        if self.done.is_raised() {
            // Told already, or about to be: nothing else will wake.
            return stop.wait_until(None, deadline);
        }
        stop.wait_until(Some(self.done.fd()), deadline)
    }

    /// What is new since the last call.
    pub(crate) fn news(&self) -> Option<Progress> {
        self.news
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

fn attempts(what: ToOpen, news: &Mutex<Option<Progress>>, done: &StopSignal) {
    for predecessor in what.predecessors {
        if predecessor.join().is_err() {
            tracing::error!("a thread that captured audio panicked");
        }
    }
    while !what.stop.is_raised() {
        let opened = backends::open(&what.spec, &what.request, &what.stop);
        let again = opened.as_ref().err().is_some_and(SourceError::is_temporary);
        let progress = match opened {
            Ok(source) => Progress::Opened(source),
            Err(error) => Progress::Failed(error.to_string()),
        };
        *news.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
        if !again {
            return done.raise();
        }
        let retry = MonoTime::now() + RETRY;
        if what.stop.wait_until(None, retry).is_err() {
            return done.raise();
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that opens audio sources panicked");
        }
    }
}
