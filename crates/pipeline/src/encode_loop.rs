//! The loop: one wake-up, one clock read, one decision, at most one picture.

use crate::consumer::{Consumer, Offer};
use crate::gate::KeyframeGate;
use crate::pipeline::{Command, Leave, PipelineParts, Shared};
use crate::priority;
use crate::recoder::{Coded, Order, Recoder, RecoderSettings};
use crate::status::SourceState;
use crate::still::{Still, StillPicture, StillPolicy};
use crate::supervisor::{OpenSource, SourceSupervisor, SupervisorParts};
use crate::switch::SwitchError;
use encode::{EncoderCaps, KeyframeReason};
use events::{
    ConsumerChange, EncoderOpened, EventSink, FrameEncoded, KeyframeCause, LostReason,
    PipelineChange, UnitRefused, ViewerId,
};
use media::{Frame, FrameClock, MonoTime, Size, Wake};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct EncodeLoop {
    number: u32,
    shared: Arc<Shared>,
    open_source: OpenSource,
    events: EventSink,
    clock: FrameClock,
    gate: KeyframeGate,
    keep_alive: Option<Duration>,
    still: StillPolicy,
    recoder: Recoder,
    consumers: Vec<Consumer>,
    lead: Option<ViewerId>,
    source: Option<SourceSupervisor>,
    last_frame: Option<Frame>,
    last_fresh_at: MonoTime,
}

impl EncodeLoop {
    pub(crate) fn new(parts: PipelineParts, shared: Arc<Shared>) -> Self {
        let rate = parts.params.rate;
        let settings = RecoderSettings {
            params: parts.params,
            threads: parts.encoder_threads,
            reference_pictures: parts.reference_pictures,
        };
        Self {
            number: parts.number,
            shared,
            open_source: parts.open_source,
            events: parts.events,
            clock: FrameClock::new(rate),
            gate: KeyframeGate::new(rate.interval()),
            keep_alive: parts.keep_alive,
            still: StillPolicy::new(false, parts.keep_alive),
            recoder: Recoder::new(parts.open_encoder, settings),
            consumers: Vec::new(),
            lead: None,
            source: None,
            last_frame: None,
            last_fresh_at: MonoTime::ZERO,
        }
    }

    pub(crate) fn run(mut self) {
        priority::raise(priority::ENCODE_NICE);
        loop {
            let fresh = match self.shared.slot.wait(self.not_before(), self.deadline()) {
                Wake::Value(frame) => Some(frame),
                Wake::Nudge | Wake::Deadline => None,
                Wake::Closed => break,
            };
            let now = MonoTime::now();
            self.turn(fresh, now);
        }
    }

    /// One turn of the loop: a function of the state, what woke it, and the time.
    fn turn(&mut self, fresh: Option<Frame>, now: MonoTime) {
        // Taken before the commands, for who left may have joined by one of them; applied after
        // them, so that one who comes while the last one goes finds the source running.
        let leaving = self.shared.take_leaving();
        while let Some(command) = self.shared.commands.pop() {
            self.apply(command, now);
        }
        for Leave { viewer, token } in leaving {
            self.leave(viewer, token, now);
        }
        if self.consumers.is_empty() {
            return;
        }
        for consumer in &self.consumers {
            if let Some(lost) = consumer.wants_repair() {
                self.gate.report_lost(lost);
            }
        }
        if let Some(frame) = fresh {
            self.last_fresh_at = now;
            self.last_frame = Some(frame.clone());
            self.code(&frame, now, None);
        } else if let Some(what) = self.due_without_frame(now)
            && let Some(frame) = self.last_frame.as_ref().map(|last| last.repeated(now))
        {
            self.code(&frame, now, Some(what));
        }
    }

    fn caps(&self) -> Option<EncoderCaps> {
        self.recoder.caps()
    }

    /// The earliest time for the next picture.
    fn not_before(&self) -> MonoTime {
        self.clock.earliest().max(self.recoder.retry_at())
    }

    /// When the last picture has to be coded again if no new one comes.
    fn deadline(&self) -> Option<MonoTime> {
        self.last_frame.as_ref()?;
        let caps = self.caps();
        let recovery = match caps {
            Some(caps) => self
                .gate
                .due_at(caps)
                .map(|due| due.max(self.quiet_since())),
            // The encoder failed or was never opened: the last frame is all there is to try with.
            None => (!self.consumers.is_empty()).then(|| self.recoder.retry_at()),
        };
        let still = self.still.deadline();
        [recovery, still]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(self.not_before()))
    }

    /// While pictures come, recovery rides on the next one instead of costing one of its own.
    fn quiet_since(&self) -> MonoTime {
        self.last_fresh_at + self.clock.interval() * 3 / 2
    }

    fn due_without_frame(&self, now: MonoTime) -> Option<Still> {
        if now < self.not_before() {
            return None;
        }
        let Some(caps) = self.caps() else {
            return Some(Still::Repeat);
        };
        if self.gate.is_due(now, caps) && now >= self.quiet_since() {
            return Some(Still::Repeat);
        }
        self.still.due(now)
    }

    fn code(&mut self, frame: &Frame, now: MonoTime, again: Option<Still>) {
        let refine = match again {
            Some(Still::Refine { quantiser }) => Some(quantiser),
            _ => None,
        };
        self.clock.spend(frame.times.noticed);
        let coded = match self
            .recoder
            .code(frame, &mut self.gate, Order { now, refine })
        {
            Ok(Some(coded)) => coded,
            Ok(None) => return,
            Err(gone) => {
                tracing::error!(error = %gone, "the stream ends");
                return self.end_all(Some(gone.to_string()), now);
            }
        };
        if let Some(reason) = coded.keyframe {
            let opened = matches!(reason, KeyframeReason::Start | KeyframeReason::Reopened);
            self.announce(frame.size, opened, now);
        }
        match again {
            // A repair refers to a picture from before the loss, which may be a coarser one.
            Some(what) if coded.keyframe.is_none() && !coded.recovers => {
                let (bytes, quantiser) = (coded.unit.data.len(), coded.unit.quantiser);
                let picture = StillPicture {
                    what,
                    bytes,
                    quantiser,
                };
                self.still.coded(picture, now, self.recoder.bitrate());
            }
            _ => self.still.changed(now, coded.unit.quantiser),
        }
        self.offer(&coded, now);
    }

    /// Tells of the encoder, which may be another one each time one is `opened`.
    fn announce(&mut self, size: Size, opened: bool, now: MonoTime) {
        let Some(caps) = self.caps() else { return };
        if opened {
            self.still = StillPolicy::new(caps.refines, self.keep_alive);
            let (pipeline, name) = (self.number, caps.name);
            tracing::info!(pipeline, name, %size, "encoder opened");
            self.events.emit(EncoderOpened {
                pipeline,
                name,
                size,
                at: now,
            });
        }
        let reason = self.recoder.reason().unwrap_or_default();
        let bitrate = self.recoder.bitrate();
        self.shared.status.update(|status| {
            status.encoder = Some((caps.name, reason));
            status.size = Some(size);
            status.bitrate = Some(bitrate);
        });
    }

    fn offer(&mut self, coded: &Coded, now: MonoTime) {
        let unit = &coded.unit;
        self.events.emit(FrameEncoded {
            pipeline: self.number,
            index: unit.index,
            kind: unit.kind,
            times: unit.times,
            bytes: u32::try_from(unit.data.len()).unwrap_or(u32::MAX),
            keyframe: coded.keyframe.map(cause),
            recovers: coded.recovers,
            quantiser: unit.quantiser,
        });
        for consumer in &mut self.consumers {
            if consumer.offer(unit, now) == Offer::Refused {
                consumer.wake_when_read(&self.shared.slot);
                let (viewer, index) = (consumer.viewer, unit.index);
                self.events.emit(UnitRefused {
                    pipeline: self.number,
                    viewer,
                    index,
                    at: now,
                });
            }
        }
    }

    fn apply(&mut self, command: Command, now: MonoTime) {
        match command {
            Command::Join(consumer) => self.join(*consumer, now),
            Command::Keyframe(reason) => self.gate.request_keyframe(reason),
            Command::Lost(range) => self.gate.report_lost(range),
            Command::Rate { viewer, bitrate } => {
                let known = self
                    .consumers
                    .iter_mut()
                    .find(|known| known.viewer == viewer);
                if let Some(consumer) = known {
                    consumer.rate = Some(bitrate);
                    self.follow_lead();
                }
            }
            Command::Lead(lead) => {
                self.lead = lead;
                self.follow_lead();
            }
            Command::Params(_) => {}
            Command::Source { done, .. } | Command::Encoder { done, .. } => {
                done(Err(SwitchError::Ended));
            }
        }
    }

    /// The encoder follows the lead; without one, the consumer that has been there longest.
    fn follow_lead(&mut self) {
        let named = |known: &&Consumer| Some(known.viewer) == self.lead;
        let lead = self.consumers.iter().find(named);
        let lead = lead.or_else(|| self.consumers.first());
        if let Some(bitrate) = lead.and_then(|lead| lead.rate) {
            self.recoder.set_bitrate(bitrate);
        }
    }

    fn join(&mut self, consumer: Consumer, now: MonoTime) {
        let viewer = consumer.viewer;
        if let Some(known) = self
            .consumers
            .iter_mut()
            .find(|known| known.viewer == viewer)
        {
            std::mem::replace(known, consumer).replaced_by(known);
        } else {
            self.consumers.push(consumer);
            self.tell_consumers(viewer, true, now);
        }
        self.gate.request_keyframe(KeyframeReason::NewConsumer);
        if self.source.is_none() {
            self.start(now);
        }
    }

    fn leave(&mut self, viewer: ViewerId, token: u64, now: MonoTime) {
        let before = self.consumers.len();
        self.consumers
            .retain(|known| known.viewer != viewer || known.token != token);
        if self.consumers.len() == before {
            return;
        }
        self.tell_consumers(viewer, false, now);
        if self.consumers.is_empty() {
            self.stop();
        } else {
            self.follow_lead();
        }
    }

    fn tell_consumers(&self, viewer: ViewerId, joined: bool, at: MonoTime) {
        let consumers = u32::try_from(self.consumers.len()).unwrap_or(u32::MAX);
        let pipeline = self.number;
        self.events.emit(ConsumerChange {
            pipeline,
            viewer,
            consumers,
            joined,
            at,
        });
        self.shared
            .status
            .update(|status| status.consumers = self.consumers.len());
    }

    fn start(&mut self, now: MonoTime) {
        let parts = SupervisorParts {
            pipeline: self.number,
            open: Arc::clone(&self.open_source),
            slot: Arc::clone(&self.shared.slot),
            status: Arc::clone(&self.shared.status),
            events: self.events.clone(),
        };
        match SourceSupervisor::start(parts) {
            Ok(source) => {
                self.source = Some(source);
                let pipeline = self.number;
                self.events.emit(PipelineChange {
                    pipeline,
                    running: true,
                    at: now,
                });
            }
            Err(error) => {
                tracing::error!(%error, "no capture thread");
                let why = format!("the system gives no capture thread: {error}");
                self.shared.status.update(|status| {
                    status.source = SourceState::Absent {
                        reason: LostReason::NoSignal,
                        why,
                    }
                });
            }
        }
    }

    /// Releases source and encoder. Starts and stops alternate because this thread alone does both.
    fn stop(&mut self) {
        if self.source.take().is_none() {
            return;
        }
        // A frame that was staged before the source stopped must not open the next run.
        drop(self.shared.slot.clear());
        self.recoder.close();
        self.gate.reset();
        self.still = StillPolicy::new(false, self.keep_alive);
        self.last_frame = None;
        self.last_fresh_at = MonoTime::ZERO;
        let at = MonoTime::now();
        self.events.emit(PipelineChange {
            pipeline: self.number,
            running: false,
            at,
        });
        self.shared.status.update(|status| {
            status.source = SourceState::Idle;
            status.encoder = None;
            status.size = None;
            status.bitrate = None;
        });
    }

    /// Ends the stream of every consumer.
    fn end_all(&mut self, why: Option<String>, now: MonoTime) {
        for consumer in std::mem::take(&mut self.consumers) {
            consumer.close();
            self.tell_consumers(consumer.viewer, false, now);
        }
        self.stop();
        if let Some(why) = why {
            self.shared.status.update(|status| {
                status.source = SourceState::Absent {
                    reason: LostReason::NoSignal,
                    why,
                }
            });
        }
    }
}

impl Drop for EncodeLoop {
    /// However the thread ends, by a panic too: no source stays open, nobody waits for units that
    /// will not come, and nobody joins any more.
    fn drop(&mut self) {
        let panicked = std::thread::panicking();
        let why = panicked.then(|| "the encode thread panicked".to_owned());
        self.end_all(why, MonoTime::now());
        for command in self.shared.commands.close() {
            if let Command::Join(consumer) = command {
                consumer.close();
            }
        }
    }
}

#[cfg(test)]
mod model;

fn cause(reason: KeyframeReason) -> KeyframeCause {
    match reason {
        KeyframeReason::Start => KeyframeCause::Start,
        KeyframeReason::NewConsumer => KeyframeCause::NewConsumer,
        KeyframeReason::Requested => KeyframeCause::Requested,
        KeyframeReason::Loss => KeyframeCause::Loss,
        KeyframeReason::Refused => KeyframeCause::Refused,
        KeyframeReason::Reopened => KeyframeCause::Reopened,
        KeyframeReason::Signal => KeyframeCause::Signal,
        KeyframeReason::Encoder => KeyframeCause::Encoder,
    }
}
