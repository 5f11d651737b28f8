//! The loop: one wake-up, one clock read, one decision, at most one picture.

use crate::consumer::{Consumer, Offer};
use crate::feed::Feed;
use crate::gate::KeyframeGate;
use crate::intake::{Loss, LossKind, News};
use crate::pipeline::{Command, Leave, OpenEncoder, PipelineParts, Shared};
use crate::priority;
use crate::recoder::{Coded, Order, Recoder, RecoderSettings};
use crate::signal::{self, Signal};
use crate::status::SourceState;
use crate::still::{Still, StillPicture, StillPolicy};
use crate::switch::{OnSwitch, SwitchError};
use capture::{SlateText, SourceInfo};
use encode::{EncoderCaps, KeyframeReason};
use events::{
    ConsumerChange, EncoderOpened, EventSink, FrameEncoded, KeyframeCause, LostReason,
    PipelineChange, SourceChange, UnitRefused, ViewerId,
};
use media::{Bitrate, Frame, FrameClock, MonoTime, Size, StreamParams, Wake};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

/// Size of a slate before there was any picture, if none is asked for.
const FIRST_SIZE: Size = Size::new(1280, 720);

/// What viewers are shown.
struct Shown {
    frame: Frame,
    /// Whether it got through the encoder: until then it is new, and keeps its times.
    coded: bool,
}

/// What to do with the picture that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Code it for the first time.
    First,
    /// Code it again.
    Again(Still),
}

pub(crate) struct EncodeLoop {
    number: u32,
    shared: Arc<Shared>,
    events: EventSink,
    clock: FrameClock,
    gate: KeyframeGate,
    keep_alive: Option<Duration>,
    still: StillPolicy,
    recoder: Recoder,
    consumers: Vec<Consumer>,
    lead: Option<ViewerId>,
    feed: Feed,
    signal: Signal,
    /// The source whose first picture is on its way.
    arriving: Option<SourceInfo>,
    /// What was last said about the source.
    told: Option<LostReason>,
    /// What was last said about the bitrate, once there was an encoder.
    told_bitrate: Option<Bitrate>,
    /// The last slate, and what it says.
    slate: Option<(LostReason, Frame)>,
    shown: Option<Shown>,
    /// Size streamed last.
    size: Option<Size>,
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
        let intake = Arc::clone(&shared.intake);
        let events = parts.events.clone();
        Self {
            number: parts.number,
            shared,
            events: parts.events,
            clock: FrameClock::new(rate),
            gate: KeyframeGate::new(rate.interval()),
            keep_alive: parts.keep_alive,
            still: StillPolicy::new(false, parts.keep_alive),
            recoder: Recoder::new(parts.open_encoder, settings),
            consumers: Vec::new(),
            lead: None,
            feed: Feed::new(parts.number, parts.open_source, intake, events),
            signal: Signal::default(),
            arriving: None,
            told: None,
            told_bitrate: None,
            slate: None,
            shown: None,
            size: None,
            last_fresh_at: MonoTime::ZERO,
        }
    }

    /// Runs until the slot is closed. A panic ends the stream of those who watch, with a reason,
    /// and nothing else: whoever comes next is served.
    pub(crate) fn run(mut self) {
        priority::raise(priority::ENCODE_NICE);
        while panic::catch_unwind(AssertUnwindSafe(|| self.run_until_closed())).is_err() {
            tracing::error!("the encode thread panicked: its viewers' streams end here");
            self.end_all(Some(PANICKED.to_owned()), MonoTime::now());
        }
    }

    fn run_until_closed(&mut self) {
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
        let fresh = self.hear(fresh, now);
        while let Some(command) = self.shared.commands.pop() {
            self.apply(command, now);
        }
        for Leave { viewer, token } in leaving {
            self.leave(viewer, token, now);
        }
        if self.consumers.is_empty() {
            return;
        }
        self.tend(now);
        for consumer in &self.consumers {
            if let Some(lost) = consumer.wants_repair() {
                self.gate.report_lost(lost);
            }
        }
        let mut arrival = now;
        if let Some(frame) = fresh {
            arrival = frame.times.noticed;
            self.show(frame, now);
        } else if self.slate_at().is_some_and(|at| at <= now) && self.signal.is_slate_due(now) {
            self.show_slate(now);
        }
        if let Some(step) = self.due(now) {
            self.clock.spend(arrival);
            self.code(step, now);
        }
    }

    /// Takes what the capture threads tell. Hands the picture back unless the source was lost after
    /// it.
    fn hear(&mut self, fresh: Option<Frame>, now: MonoTime) -> Option<Frame> {
        let heard = self.feed.hear();
        if heard.replaced {
            self.signal.replaced(now);
        }
        match heard.news {
            _ if !self.feed.is_running() => None,
            None => fresh,
            Some(News::Present(info)) => {
                self.arriving = Some(info);
                fresh
            }
            Some(News::Lost(loss)) => {
                // The slate's keyframe repairs whatever the last picture was owed.
                if !self.signal.is_away() {
                    self.shown = None;
                }
                self.arriving = None;
                self.signal.lost(loss, now);
                self.tell_absence(now);
                None
            }
        }
    }

    /// Has the source started when it may be.
    fn tend(&mut self, now: MonoTime) {
        if let Err(error) = self.feed.tend() {
            tracing::error!(%error, "no capture thread");
            let loss = Loss {
                kind: LossKind::Absent,
                why: format!("the system gives no capture thread: {error}"),
                after_pictures: false,
            };
            self.signal.lost(loss, now);
            self.tell_absence(now);
        }
    }

    fn show(&mut self, frame: Frame, now: MonoTime) {
        if self.signal.present() {
            let pipeline = self.number;
            self.events.emit(SourceChange {
                pipeline,
                lost: None,
                at: now,
            });
            // After a slate the picture is worth a keyframe; at the start it is one anyway.
            self.slate = None;
            if self.told.take().is_some() {
                self.gate.request_keyframe(KeyframeReason::Signal);
            }
        }
        if let Some(info) = self.arriving.take() {
            let present = SourceState::Present(info);
            self.shared.status.update(|status| status.source = present);
        }
        self.last_fresh_at = now;
        let coded = false;
        self.shown = Some(Shown { frame, coded });
    }

    /// Status and events about a source that is away.
    fn tell_absence(&mut self, now: MonoTime) {
        let Some((reason, why)) = self.signal.absence(now) else {
            return;
        };
        if self.told != Some(reason) {
            self.told = Some(reason);
            let pipeline = self.number;
            self.events.emit(SourceChange {
                pipeline,
                lost: Some(reason),
                at: now,
            });
        }
        let why = why.to_owned();
        let absent = SourceState::Absent { reason, why };
        self.shared.status.update(|status| status.source = absent);
    }

    /// When a slate may be shown: it is a keyframe.
    fn slate_at(&self) -> Option<MonoTime> {
        let at = self.signal.slate_at()?;
        let allowed = self.gate.keyframe_allowed_at();
        Some(at.max(allowed).max(self.not_before()))
    }

    fn show_slate(&mut self, now: MonoTime) {
        self.tell_absence(now);
        let Some((reason, _)) = self.signal.absence(now) else {
            return;
        };
        let size = self.frame_size();
        let known = self.slate.as_ref();
        let known = known.filter(|(said, frame)| *said == reason && frame.size == size);
        let frame = match known {
            Some((_, frame)) => frame.repeated(now),
            None => {
                let text = SlateText {
                    reason: &reason.to_string(),
                    action: signal::action(reason),
                };
                let frame = capture::slate(text, size).repeated(now);
                self.slate = Some((reason, frame.clone()));
                frame
            }
        };
        let coded = false;
        self.shown = Some(Shown { frame, coded });
        self.gate.request_keyframe(KeyframeReason::Signal);
        self.signal.slate_shown(now);
    }

    /// Size of what the host itself has to show.
    fn frame_size(&self) -> Size {
        let asked = self.recoder.params().size;
        asked.or(self.size).unwrap_or(FIRST_SIZE)
    }

    fn caps(&self) -> Option<EncoderCaps> {
        self.recoder.caps()
    }

    /// The earliest time for the next picture.
    fn not_before(&self) -> MonoTime {
        self.clock.earliest().max(self.recoder.retry_at())
    }

    /// The earliest time for this picture. One that another encoder begins with is a keyframe, and
    /// those keep their distance, however often the size changes.
    fn earliest(&self, shown: &Shown) -> MonoTime {
        let starts = self.recoder.must_start(shown.frame.size);
        let allowed = starts.then(|| self.gate.keyframe_allowed_at());
        self.not_before().max(allowed.unwrap_or(MonoTime::ZERO))
    }

    /// When something has to be done if no new picture comes.
    fn deadline(&self) -> Option<MonoTime> {
        if self.consumers.is_empty() {
            return None;
        }
        let picture = self.shown.as_ref().and_then(|shown| {
            let wanted = match self.caps() {
                Some(caps) if shown.coded && !self.recoder.must_start(shown.frame.size) => {
                    let recovery = self.gate.due_at(caps);
                    let recovery = recovery.map(|due| due.max(self.quiet_since()));
                    [recovery, self.still_at()].into_iter().flatten().min()?
                }
                _ => MonoTime::ZERO,
            };
            Some(wanted.max(self.earliest(shown)))
        });
        [picture, self.slate_at()].into_iter().flatten().min()
    }

    /// A slate is neither repeated nor refined between two slates.
    fn still_at(&self) -> Option<MonoTime> {
        self.still.deadline().filter(|_| !self.signal.is_away())
    }

    /// While pictures come, recovery rides on the next one instead of costing one of its own.
    fn quiet_since(&self) -> MonoTime {
        self.last_fresh_at + self.clock.interval() * 3 / 2
    }

    /// What to do now, if anything.
    fn due(&self, now: MonoTime) -> Option<Step> {
        let shown = self.shown.as_ref()?;
        if now < self.earliest(shown) {
            return None;
        }
        if !shown.coded {
            return Some(Step::First);
        }
        let again = Step::Again(Still::Repeat);
        let Some(caps) = self.caps() else {
            return Some(again);
        };
        let starts = self.recoder.must_start(shown.frame.size);
        if starts || (self.gate.is_due(now, caps) && now >= self.quiet_since()) {
            return Some(again);
        }
        self.still_at()?;
        self.still.due(now).map(Step::Again)
    }

    fn code(&mut self, step: Step, now: MonoTime) {
        let Some(shown) = &mut self.shown else { return };
        let frame = match step {
            Step::First => shown.frame.clone(),
            Step::Again(_) => shown.frame.repeated(now),
        };
        let refine = match step {
            Step::Again(Still::Refine { quantiser }) => Some(quantiser),
            _ => None,
        };
        let order = Order { now, refine };
        let outcome = self.recoder.code(&frame, &mut self.gate, order);
        // An encoder that is still open has taken it, even if it gave nothing for it.
        shown.coded |= self.recoder.caps().is_some();
        if let Some(refused) = self.recoder.take_refused() {
            self.shared.take_back(refused, self.recoder.params());
            self.follow_rate();
        }
        match outcome {
            Ok(Some(coded)) => self.coded(step, &coded, now),
            Ok(None) => {}
            Err(gone) => {
                tracing::error!(error = %gone, "the stream ends");
                self.end_all(Some(gone.to_string()), now);
            }
        }
    }

    fn coded(&mut self, step: Step, coded: &Coded, now: MonoTime) {
        let unit = &coded.unit;
        if coded.keyframe.is_some() {
            self.announce(unit.size, coded.first, now);
        }
        match step {
            // A repair refers to a picture from before the loss, which may be a coarser one.
            Step::Again(what) if coded.keyframe.is_none() && !coded.recovers => {
                let (bytes, quantiser) = (unit.data.len(), unit.quantiser);
                let picture = StillPicture {
                    what,
                    bytes,
                    quantiser,
                };
                self.still.coded(picture, now, self.recoder.bitrate());
            }
            _ => self.still.changed(now, unit.quantiser),
        }
        self.offer(coded, now);
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
        (self.size, self.told_bitrate) = (Some(size), Some(bitrate));
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
                let mut known = self.consumers.iter_mut();
                if let Some(consumer) = known.find(|known| known.viewer == viewer) {
                    consumer.rate = Some(bitrate);
                    self.follow_lead();
                }
            }
            Command::Lead(lead) => {
                self.lead = lead;
                self.follow_lead();
            }
            Command::Params(params) => self.set_params(params),
            Command::Source { open, done } => self.feed.switch(open, done),
            Command::Encoder { open, done } => self.switch_encoder(open, done),
        }
    }

    fn set_params(&mut self, params: StreamParams) {
        let cap = self.recoder.params().bitrate;
        self.recoder.set_params(params);
        self.follow_rate();
        // Without a link that says what it carries, the whole of a new budget is used.
        if cap != params.bitrate && self.lead_rate().is_none() {
            self.recoder.set_bitrate(params.bitrate);
        }
        self.follow_lead();
    }

    /// What depends on the frame rate besides the encoder.
    fn follow_rate(&mut self) {
        let rate = self.recoder.params().rate;
        self.clock.set_rate(rate);
        self.gate.set_frame_interval(rate.interval());
        for consumer in &self.consumers {
            consumer.set_interval(rate.interval());
        }
    }

    fn switch_encoder(&mut self, open: OpenEncoder, done: OnSwitch) {
        let shown = self.shown.as_ref().map(|shown| shown.frame.size);
        let size = shown.unwrap_or(self.frame_size());
        let switched = self.recoder.switch(open, size);
        if self.consumers.is_empty() {
            // It opens, that is all one wanted to know.
            self.recoder.close();
        }
        done(switched.map_err(SwitchError::from));
    }

    /// What the link of the lead carries; without a lead, of the consumer that has been there
    /// longest.
    fn lead_rate(&self) -> Option<Bitrate> {
        let mut consumers = self.consumers.iter();
        let named = consumers.find(|known| Some(known.viewer) == self.lead);
        named.or(self.consumers.first())?.rate
    }

    fn follow_lead(&mut self) {
        let wanted = self.lead_rate().unwrap_or(self.recoder.bitrate());
        let bitrate = wanted.min(self.recoder.params().bitrate);
        self.recoder.set_bitrate(bitrate);
        if self.told_bitrate.is_some_and(|told| told != bitrate) {
            self.told_bitrate = Some(bitrate);
            let told = Some(bitrate);
            self.shared.status.update(|status| status.bitrate = told);
        }
    }

    fn join(&mut self, consumer: Consumer, now: MonoTime) {
        let viewer = consumer.viewer;
        consumer.set_interval(self.clock.interval());
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
        if !self.feed.is_running() {
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
        self.feed.start();
        self.signal.started(now);
        let pipeline = self.number;
        self.events.emit(PipelineChange {
            pipeline,
            running: true,
            at: now,
        });
    }

    /// Releases source and encoder. Starts and stops alternate because this thread alone does both.
    fn stop(&mut self) {
        if !self.feed.is_running() {
            return;
        }
        self.feed.stop();
        self.recoder.close();
        self.gate.reset();
        self.still = StillPolicy::new(false, self.keep_alive);
        self.signal.stopped();
        (self.arriving, self.told, self.told_bitrate) = (None, None, None);
        (self.shown, self.slate) = (None, None);
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
            let reason = LostReason::NoSignal;
            let absent = SourceState::Absent { reason, why };
            self.shared.status.update(|status| status.source = absent);
        }
    }
}

const PANICKED: &str = "the encode thread panicked; the log says where";

impl Drop for EncodeLoop {
    /// However the thread ends: no source stays open, nobody waits for units or answers that will
    /// not come, and nobody joins any more.
    fn drop(&mut self) {
        let panicked = std::thread::panicking();
        let why = panicked.then(|| PANICKED.to_owned());
        self.end_all(why, MonoTime::now());
        self.feed.close();
        for command in self.shared.commands.close() {
            match command {
                Command::Join(consumer) => consumer.close(),
                Command::Source { done, .. } | Command::Encoder { done, .. } => {
                    done(Err(SwitchError::Ended));
                }
                _ => {}
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
