//! What the input thread does: sleeps until something is due, and injects it.

use super::{InputState, OnFeedback, OnState, OpenInjector, Queued, Shared, Task};
use crate::backends::Opened;
use crate::error::InputError;
use crate::event::InputEvent;
use crate::held::{Held, Step};
use crate::injector::{Capabilities, Feedback, FeedbackSink, Injector, Next};
use crate::nothing::{self, Nothing};
use events::ViewerId;
use media::MonoTime;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

pub(super) struct InputThread {
    shared: Arc<Shared>,
    on_feedback: OnFeedback,
    on_state: OnState,
    injector: Box<dyn Injector>,
    /// Why this injector.
    reason: String,
    told: Option<InputState>,
    held: Held,
    /// Events that the rules let through and the injector had no time for yet.
    pending: VecDeque<InputEvent>,
    next: Next,
    leds: Option<u8>,
}

enum Woken {
    Task(Queued),
    /// Time has passed.
    Time(MonoTime),
    Closed,
}

impl InputThread {
    pub(super) fn new(shared: Arc<Shared>, on_feedback: OnFeedback, on_state: OnState) -> Self {
        Self {
            shared,
            on_feedback,
            on_state,
            injector: Box::new(Nothing),
            reason: String::new(),
            told: None,
            held: Held::default(),
            pending: VecDeque::new(),
            next: Next::default(),
            leds: None,
        }
    }

    pub(super) fn run(&mut self, open: OpenInjector) {
        self.switch(open);
        loop {
            let mut out = Vec::new();
            match self.wait() {
                Woken::Closed => break,
                Woken::Task(Queued { at, task }) => self.take(task, at, &mut out),
                Woken::Time(now) if !self.next.busy => self.held.tick(now, &mut out),
                Woken::Time(_) => {}
            }
            self.pending.extend(out);
            self.inject_pending();
        }
        self.let_go();
    }

    /// Sleeps until a task may be taken or something is due. While the injector is busy tasks wait,
    /// so that everything stays in order.
    fn wait(&self) -> Woken {
        let due = match self.next.busy {
            true => self.next.at,
            false => self.next.at.into_iter().chain(self.held.deadline()).min(),
        };
        let mut queue = self.shared.queue();
        loop {
            if !self.next.busy
                && let Some(task) = queue.tasks.pop_front()
            {
                return Woken::Task(task);
            }
            if queue.closed {
                return Woken::Closed;
            }
            let now = MonoTime::now();
            let changed = &self.shared.changed;
            queue = match due {
                Some(due) if now >= due => return Woken::Time(now),
                Some(due) => {
                    let waited = changed.wait_timeout(queue, due.since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn take(&mut self, task: Task, at: MonoTime, out: &mut Vec<InputEvent>) {
        match task {
            Task::Step(viewer, step) => {
                let permitted = matches!(step, Step::Permit(may) if may.keyboard);
                self.held.step(viewer, step, at, out);
                if let Some(bits) = self.leds.filter(|_| permitted) {
                    (self.on_feedback)(viewer, Feedback::KeyboardLeds { bits });
                }
            }
            Task::Switch(open) => {
                self.let_go();
                self.switch(open);
                self.held.introduce(out);
            }
            Task::Feedback(feedback) => self.hand_back(feedback),
        }
    }

    /// Injects until the injector is busy, and hears from it when it wants to be driven again.
    fn inject_pending(&mut self) {
        self.drive();
        while !self.next.busy {
            let Some(event) = self.pending.pop_front() else {
                return;
            };
            let injected = self.injector.inject(&event);
            self.judge(injected);
            self.drive();
        }
    }

    fn drive(&mut self) {
        let next = self.injector.tick(MonoTime::now());
        self.next = next.as_ref().copied().unwrap_or_default();
        self.judge(next.map(|_| ()));
    }

    /// Counts what failed, and tells when the target goes away or comes back.
    fn judge(&mut self, result: Result<(), InputError>) {
        if let Err(error) = &result {
            let count = self.shared.errors.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_power_of_two() {
                tracing::warn!(%error, count, "input could not be injected");
            }
        }
        let capabilities = self.injector.capabilities();
        let told = self.told.as_ref();
        if told.is_some_and(|told| told.capabilities == capabilities) {
            return;
        }
        let reason = match result {
            Err(error) if capabilities == Capabilities::NONE => error.to_string(),
            _ => self.reason.clone(),
        };
        self.tell(capabilities, reason);
    }

    fn tell(&mut self, capabilities: Capabilities, reason: String) {
        let state = InputState {
            backend: self.injector.name(),
            capabilities,
            reason,
        };
        if self.told.as_ref() != Some(&state) {
            (self.on_state)(&state);
            self.told = Some(state);
        }
    }

    /// Releases everything through the present injector, as far as it lets itself be driven.
    fn let_go(&mut self) {
        let mut out = Vec::new();
        self.held.release_everything(&mut out);
        self.pending.clear();
        for event in out {
            let injected = self.injector.inject(&event);
            self.judge(injected);
        }
    }

    fn switch(&mut self, open: OpenInjector) {
        let shared = Arc::clone(&self.shared);
        let sink: FeedbackSink = Arc::new(move |feedback| {
            // Feedback that finds no room is stale by the time there is some.
            let _ = shared.push(Task::Feedback(feedback), super::QUEUE_LIMIT);
        });
        match open(sink) {
            Ok(Opened { injector, reason }) => {
                (self.injector, self.reason) = (injector, reason);
                (self.next, self.leds) = (Next::default(), None);
            }
            Err(error) => {
                tracing::warn!(%error, "the input backend cannot be used");
                if self.told.is_none() {
                    self.reason = error.to_string();
                }
            }
        }
        let capabilities = self.injector.capabilities();
        let is_away = capabilities == Capabilities::NONE && self.injector.name() != nothing::NAME;
        let reason = match is_away {
            true => format!("{}, is away; it is tried again", self.reason),
            false => self.reason.clone(),
        };
        self.tell(capabilities, reason);
    }

    fn hand_back(&mut self, feedback: Feedback) {
        if let Some(slot) = feedback.pad() {
            if let Some((viewer, index)) = self.held.pad_owner(slot) {
                (self.on_feedback)(viewer, feedback.for_pad(index));
            }
            return;
        }
        if let Feedback::KeyboardLeds { bits } = feedback {
            self.leds = Some(bits);
            let typists: Vec<ViewerId> = self.held.typists().collect();
            for viewer in typists {
                (self.on_feedback)(viewer, feedback);
            }
        }
    }
}
