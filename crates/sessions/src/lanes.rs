//! Where the calls of one connection run: one ordered lane, and beside it a bounded number of
//! concurrent ones. Nothing here makes the reader of the connection wait.

use crate::dispatch::{Arrival, Dispatch, Weigh};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A call. It never panics: what it calls may.
pub(crate) trait Job: Weigh + Send + 'static {
    /// Runs it and hands its answer over.
    fn run(self) -> impl Future<Output = ()> + Send;
}

/// Starts tasks. The server has one kind, a model of it another.
pub(crate) trait Spawn: Send + Sync + 'static {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// Starts tasks on the runtime that the caller runs on.
#[derive(Debug)]
pub(crate) struct OnRuntime;

impl Spawn for OnRuntime {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}

struct Shared<J> {
    dispatch: Mutex<Dispatch<J>>,
    drained: Notify,
}

impl<J> Shared<J> {
    fn lock(&self) -> MutexGuard<'_, Dispatch<J>> {
        // Nothing that runs under this lock panics half-way.
        self.dispatch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lanes of one connection.
pub(crate) struct Lanes<J, S> {
    shared: Arc<Shared<J>>,
    spawner: S,
}

/// Why a call does not run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotNow<J> {
    /// Too many wait or run.
    Busy(J),
    /// The connection is ending.
    Closed(J),
}

impl<J: Job, S: Spawn> Lanes<J, S> {
    pub(crate) fn new(spawner: S) -> Self {
        let shared = Shared {
            dispatch: Mutex::new(Dispatch::new()),
            drained: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
            spawner,
        }
    }

    /// Runs `job` after the ordered ones before it.
    pub(crate) fn ordered(&self, job: J) -> Result<(), NotNow<J>> {
        let arrival = self.shared.lock().ordered(job);
        self.begin(arrival, run_ordered)
    }

    /// Runs `job` now.
    pub(crate) fn concurrent(&self, job: J) -> Result<(), NotNow<J>> {
        let arrival = self.shared.lock().concurrent(job);
        self.begin(arrival, run_concurrent)
    }

    fn begin<T>(
        &self,
        arrival: Arrival<J>,
        task: impl FnOnce(Arc<Shared<J>>, J) -> T,
    ) -> Result<(), NotNow<J>>
    where
        T: Future<Output = ()> + Send + 'static,
    {
        match arrival {
            Arrival::Run(job) => self.spawner.spawn(task(Arc::clone(&self.shared), job)),
            Arrival::Waits => {}
            Arrival::Busy(job) => return Err(NotNow::Busy(job)),
            Arrival::Closed(job) => return Err(NotNow::Closed(job)),
        }
        Ok(())
    }

    /// Takes no more calls, and waits until the ordered ones have run.
    pub(crate) async fn drain(&self) {
        self.shared.lock().close();
        loop {
            let drained = self.shared.drained.notified();
            if self.shared.lock().is_drained() {
                return;
            }
            drained.await;
        }
    }

    /// Takes no more calls, and gives up those that wait.
    pub(crate) fn abandon(&self) -> Vec<J> {
        self.shared.lock().abandon()
    }
}

async fn run_ordered<J: Job>(shared: Arc<Shared<J>>, first: J) {
    let mut next = Some(first);
    while let Some(job) = next {
        job.run().await;
        next = shared.lock().ordered_done();
    }
    shared.drained.notify_waiters();
}

async fn run_concurrent<J: Job>(shared: Arc<Shared<J>>, job: J) {
    job.run().await;
    shared.lock().concurrent_done();
}

#[cfg(test)]
#[path = "lanes_model.rs"]
mod model;
