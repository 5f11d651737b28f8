//! The input thread: every viewer's input in one queue, through the rules, into the injector.
//!
//! Owns the thread and the queue; refuses to block whoever gives input: too much is an error.

mod thread;

use crate::backends::Opened;
use crate::error::InputError;
use crate::event::{InputEvent, MAX_TEXT_BYTES, PadEvent, Permissions};
use crate::held::Step;
use crate::injector::{Capabilities, Feedback, FeedbackSink};
use crate::wire::{self, Motion};
use events::ViewerId;
use media::MonoTime;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use thread::InputThread;

/// Waiting messages, from which on all but permits and releases are refused.
const QUEUE_LIMIT: usize = 1024;
/// Waiting messages, from which on motion is dropped: it never crowds out keys.
const MOTION_LIMIT: usize = 512;

/// Opens an injector; runs on the input thread.
pub type OpenInjector = Box<dyn FnOnce(FeedbackSink) -> Result<Opened, InputError> + Send>;
/// What the host says back to a viewer; called on the input thread.
pub type OnFeedback = Box<dyn Fn(ViewerId, Feedback) + Send>;
/// What can be injected now, at first and on each change; called on the input thread.
pub type OnState = Box<dyn Fn(&InputState) + Send>;

/// What a desk is made of.
pub struct DeskParts {
    /// The first injector.
    pub open: OpenInjector,
    /// Feedback for viewers.
    pub on_feedback: OnFeedback,
    /// Changes of what can be injected.
    pub on_state: OnState,
}

/// What can be injected now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputState {
    /// Name of the backend.
    pub backend: &'static str,
    /// What it can do; nothing while its target is away.
    pub capabilities: Capabilities,
    /// Why this backend, or why nothing can be done.
    pub reason: String,
}

/// Which of the page's channels a message came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// `input`: ordered, nothing is lost.
    Reliable,
    /// `motion`: whatever arrives.
    Motion,
}

enum Task {
    Step(ViewerId, Step),
    Switch(OpenInjector),
    Feedback(Feedback),
}

struct Queued {
    at: MonoTime,
    task: Task,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Queued>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    active: Mutex<HashMap<ViewerId, MonoTime>>,
    errors: AtomicU64,
    dropped: AtomicU64,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn active(&self) -> MutexGuard<'_, HashMap<ViewerId, MonoTime>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, task: Task, limit: usize) -> Result<(), InputError> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(InputError::Closed);
        }
        if queue.tasks.len() >= limit {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Err(InputError::Full);
        }
        let at = MonoTime::now();
        queue.tasks.push_back(Queued { at, task });
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    fn close(&self) {
        self.queue().closed = true;
        self.changed.notify_one();
    }
}

/// The thread ends, and lets go of everything, when the last handle is dropped.
struct Owner {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.close();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // The last handle may live in a callback, which the thread itself drops.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the input thread has panicked");
        }
    }
}

/// A handle of the input thread. No call blocks.
#[derive(Clone)]
pub struct Desk(Arc<Owner>);

impl Desk {
    /// Starts the thread, which opens the injector. If that fails, nothing is injected, and
    /// `on_state` says why.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(parts: DeskParts) -> Result<Self, InputError> {
        let shared = Arc::new(Shared::default());
        let mut input = InputThread::new(Arc::clone(&shared), parts.on_feedback, parts.on_state);
        let open = parts.open;
        let thread = std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || input.run(open))?;
        let thread = Some(thread);
        Ok(Self(Arc::new(Owner { shared, thread })))
    }

    /// A message of the page's.
    ///
    /// # Errors
    /// [`InputError::Malformed`], [`InputError::TooLong`] or [`InputError::Full`]: end the session;
    /// or [`InputError::Closed`]. Motion that finds the queue full is dropped instead.
    pub fn push(&self, viewer: ViewerId, channel: Channel, bytes: &[u8]) -> Result<(), InputError> {
        match channel {
            Channel::Reliable => {
                let message = wire::reliable(bytes)?;
                self.0.shared.active().insert(viewer, MonoTime::now());
                self.step(viewer, Step::Reliable(message), QUEUE_LIMIT)
            }
            Channel::Motion => {
                let message = wire::motion(bytes)?;
                // What is only held tells of no hand that moves.
                if matches!(message, Motion::MoveTo { .. } | Motion::MoveBy { .. }) {
                    self.0.shared.active().insert(viewer, MonoTime::now());
                }
                match self.step(viewer, Step::Motion(message), MOTION_LIMIT) {
                    Err(InputError::Full) => Ok(()),
                    result => result,
                }
            }
        }
    }

    /// An event that came another way. What it presses stays down until the viewer releases it,
    /// loses the permission, or a time set by [`hold_until`](Self::hold_until) has come.
    ///
    /// # Errors
    /// [`InputError::TooLong`], [`InputError::Full`] or [`InputError::Closed`]. What a pad's sensors
    /// say is dropped instead when the queue is full.
    pub fn inject(&self, viewer: ViewerId, event: InputEvent) -> Result<(), InputError> {
        if let InputEvent::Text(text) = &event
            && text.len() > MAX_TEXT_BYTES
        {
            return Err(InputError::TooLong {
                bytes: text.len(),
                limit: MAX_TEXT_BYTES,
            });
        }
        if let InputEvent::Pad(PadEvent::Motion { .. } | PadEvent::Battery { .. }) = event {
            // What a sensor says tells of no hand that moves, and the next is as good as this one.
            return match self.step(viewer, Step::Event(event), MOTION_LIMIT) {
                Err(InputError::Full) => Ok(()),
                result => result,
            };
        }
        self.0.shared.active().insert(viewer, MonoTime::now());
        self.step(viewer, Step::Event(event), QUEUE_LIMIT)
    }

    /// When to let go of what a viewer pressed by [`inject`](Self::inject), unless another call
    /// says later; `None`: never.
    pub fn hold_until(&self, viewer: ViewerId, until: Option<MonoTime>) {
        self.always(viewer, Step::HoldUntil(until));
    }

    /// Says what a viewer may do from now on; what he holds and no longer may is let go. Until this
    /// is called he may do nothing.
    pub fn permit(&self, viewer: ViewerId, permissions: Permissions) {
        self.always(viewer, Step::Permit(permissions));
    }

    /// Takes every permission away.
    pub fn revoke(&self, viewer: ViewerId) {
        self.permit(viewer, Permissions::NONE);
    }

    /// Lets go of everything a viewer holds, as when its channel closes or its video pauses.
    pub fn release_all(&self, viewer: ViewerId) {
        self.always(viewer, Step::ReleaseAll);
    }

    /// Forgets a viewer whose session is over.
    pub fn gone(&self, viewer: ViewerId) {
        self.always(viewer, Step::Gone);
        self.0.shared.active().remove(&viewer);
    }

    /// Puts another injector in place of the present one, which lets go of everything first. If it
    /// cannot be opened, the present one stays, and the log says why.
    pub fn switch(&self, open: OpenInjector) {
        let _ = self.0.shared.push(Task::Switch(open), usize::MAX);
    }

    /// When a viewer last did something.
    #[must_use]
    pub fn last_active(&self, viewer: ViewerId) -> Option<MonoTime> {
        self.0.shared.active().get(&viewer).copied()
    }

    /// Events that could not be injected so far.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.0.shared.errors.load(Ordering::Relaxed)
    }

    /// Messages that found the queue full so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.shared.dropped.load(Ordering::Relaxed)
    }

    fn step(&self, viewer: ViewerId, step: Step, limit: usize) -> Result<(), InputError> {
        self.0.shared.push(Task::Step(viewer, step), limit)
    }

    /// What must never be refused; there are only a few of these a session.
    fn always(&self, viewer: ViewerId, step: Step) {
        // A closed desk has let go of everything already.
        let _ = self.step(viewer, step, usize::MAX);
    }
}
