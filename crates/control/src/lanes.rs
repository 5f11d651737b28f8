//! Where calls run: one ordered lane per connection, and beside it a bounded number of concurrent
//! ones. Nothing here makes the reader of the connection wait.

use crate::jsonrpc::{Call, Id, Incoming, Item, Response, RpcError, write_batch, write_response};
use crate::methods::{Lane, Method, Outcome, find};
use crate::ws::Caller;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Ordered calls that may wait, and concurrent ones that may run.
const LANE_DEPTH: usize = 32;

struct Job {
    method: &'static Method,
    params: Value,
    done: oneshot::Sender<Outcome>,
}

pub(crate) struct Lanes {
    caller: Arc<Caller>,
    ordered: mpsc::Sender<Job>,
    ordered_task: JoinHandle<()>,
    concurrent: Arc<Semaphore>,
}

/// A call whose answer is known, or will be.
enum Pending {
    Ready(Response),
    Running(Id, oneshot::Receiver<Outcome>),
}

/// What to do about a message.
pub(crate) enum Reply {
    /// Nothing: it was a notification.
    Nothing,
    /// Send this.
    Now(String),
    /// The caller's outgoing channel gets the answer once it is there.
    Later,
}

impl Lanes {
    pub(crate) fn new(caller: Arc<Caller>) -> Self {
        let (ordered, mut jobs) = mpsc::channel::<Job>(LANE_DEPTH);
        let ordered_task = tokio::spawn({
            let caller = Arc::clone(&caller);
            async move {
                while let Some(job) = jobs.recv().await {
                    job.run(&caller).await;
                }
            }
        });
        Self {
            caller,
            ordered,
            ordered_task,
            concurrent: Arc::new(Semaphore::new(LANE_DEPTH)),
        }
    }

    /// Starts everything that a message asks for.
    pub(crate) fn take(&self, incoming: Incoming) -> Reply {
        match incoming {
            Incoming::Single(item) => match self.start(item) {
                None => Reply::Nothing,
                Some(Pending::Ready(response)) => Reply::Now(write_response(&response)),
                Some(running) => {
                    let outgoing = self.caller.outgoing();
                    tokio::spawn(async move {
                        // The connection may be gone by then, and the answer with it.
                        let _ = outgoing.send(write_response(&running.answer().await)).await;
                    });
                    Reply::Later
                }
            },
            Incoming::Batch(items) => self.take_batch(items),
        }
    }

    fn take_batch(&self, items: Vec<Item>) -> Reply {
        let pending: Vec<Pending> = items
            .into_iter()
            .filter_map(|item| self.start(item))
            .collect();
        if pending.is_empty() {
            return Reply::Nothing;
        }
        let outgoing = self.caller.outgoing();
        let answer_all = async move {
            let mut responses = Vec::with_capacity(pending.len());
            for call in pending {
                responses.push(call.answer().await);
            }
            let _ = outgoing.send(write_batch(&responses)).await;
        };
        tokio::spawn(answer_all);
        Reply::Later
    }

    fn start(&self, item: Item) -> Option<Pending> {
        let call = match item {
            Ok(call) => call,
            Err((id, error)) => {
                let outcome = Err(error);
                return Some(Pending::Ready(Response { id, outcome }));
            }
        };
        let Call { id, method, params } = call;
        let started = match find(&method) {
            None => Err(RpcError::unknown_method(&method)),
            Some(method) if self.caller.role() < method.info.role => Err(RpcError::not_allowed()),
            Some(method) => self.submit(method, params),
        };
        // A notification gets no answer, not even when it fails.
        let id = id?;
        Some(match started {
            Ok(answer) => Pending::Running(id, answer),
            Err(error) => Pending::Ready(Response {
                id,
                outcome: Err(error),
            }),
        })
    }

    fn submit(
        &self,
        method: &'static Method,
        params: Value,
    ) -> Result<oneshot::Receiver<Outcome>, RpcError> {
        let busy = || RpcError::busy("busy: too many calls are waiting for their answers");
        let (done, answer) = oneshot::channel();
        let job = Job {
            method,
            params,
            done,
        };
        match method.info.lane {
            Lane::Ordered => self.ordered.try_send(job).map_err(|_| busy())?,
            Lane::Concurrent => {
                let permit = Arc::clone(&self.concurrent)
                    .try_acquire_owned()
                    .map_err(|_| busy())?;
                let caller = Arc::clone(&self.caller);
                tokio::spawn(async move {
                    job.run(&caller).await;
                    drop(permit);
                });
            }
        }
        Ok(answer)
    }

    /// Takes no more calls, and lets the ordered ones that wait run for at most `limit`.
    pub(crate) async fn close(mut self, limit: Duration) {
        drop(self.ordered);
        if tokio::time::timeout(limit, &mut self.ordered_task)
            .await
            .is_err()
        {
            self.ordered_task.abort();
        }
    }
}

impl Job {
    async fn run(self, caller: &Arc<Caller>) {
        let outcome = if self.method.info.needs_session && !caller.has_session() {
            Err(RpcError::no_session())
        } else {
            // A task of its own, so that a panic ends the call and nothing else.
            let running = tokio::spawn((self.method.run)(Arc::clone(caller), self.params));
            running.await.unwrap_or_else(|_panicked| {
                tracing::error!(method = self.method.info.name, "a handler panicked");
                let name = self.method.info.name;
                Err(RpcError::internal("the host ran into an error").with_data(name))
            })
        };
        if let Err(error) = &outcome {
            tracing::debug!(
                method = self.method.info.name,
                code = error.code,
                message = error.message,
                "call failed"
            );
        }
        // Nobody waits for the outcome of a notification.
        let _ = self.done.send(outcome);
    }
}

impl Pending {
    async fn answer(self) -> Response {
        match self {
            Self::Ready(response) => response,
            Self::Running(id, answer) => {
                let lost = || Err(RpcError::internal("the call was cut short"));
                let outcome = answer.await.unwrap_or_else(|_| lost());
                Response { id, outcome }
            }
        }
    }
}
