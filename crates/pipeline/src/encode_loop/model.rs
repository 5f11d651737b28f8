//! The loop under random histories and a simulated clock, held against a reference model.
//!
//! The slot, the queues and the capture thread are the real ones; screen and encoder are scripted.

mod cases;
mod oracle;

use super::EncodeLoop;
use crate::consumer::{Consumer, UnitQueue};
use crate::gate::LostRange;
use crate::intake::{Loss, LossKind, News, Put};
use crate::pipeline::{Command, Leave, PipelineParts, Shared};
use crate::still::KEEP_ALIVE;
use crate::support::coder::{Abilities, Coded, Coder, Did, Script};
use crate::support::screen::{SIZE, Screen, frame};
use crate::support::watch::HANG_GUARD;
use capture::SourceInfo;
use encode::KeyframeReason;
use events::{Event, EventRing, ViewerId};
use media::{
    Bitrate, Codec, FrameIndex, FrameRate, MonoTime, QualityProfile, Size, StreamParams, Wake,
};
use oracle::{Oracle, Told};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Later than the real clock can be: the slot never lets a frame out by itself.
const START: MonoTime = MonoTime::from_nanos(1 << 60);
const NEVER: MonoTime = MonoTime::from_nanos(u64::MAX);
const LAST_QUANTISER: u8 = 12;
/// A size that no picture has.
const SCALED: Size = Size::new(96, 96);

#[derive(Clone, Debug)]
enum Op {
    Join {
        viewer: u32,
    },
    Leave {
        pick: usize,
    },
    Show {
        other_size: bool,
    },
    Play {
        frames: u32,
        gap_us: u64,
    },
    Pass {
        ms: u64,
    },
    Pop {
        pick: usize,
        units: usize,
    },
    CloseQueue {
        pick: usize,
    },
    Keyframe,
    Lose {
        pick: usize,
        back: usize,
        length: usize,
    },
    Garbage {
        first: u64,
        last: u64,
    },
    FailPictures {
        count: u32,
    },
    FailOpens {
        count: u32,
    },
    Rate {
        pick: usize,
        mbps: u64,
    },
    Lead {
        viewer: Option<u32>,
    },
    /// The source goes away; the next picture that is shown brings it back.
    Away {
        unsupported: bool,
    },
    Params {
        fps: u32,
        mbps: u64,
        scaled: bool,
    },
    /// The same kind of encoder once more.
    Switch,
    /// The next encoder is another one.
    Replace {
        abilities: Abilities,
    },
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    fps: u32,
    abilities: Abilities,
    store: usize,
    keep_alive: Option<Duration>,
}

/// One who holds a lease, or held one before another took its name.
struct Holder {
    viewer: u32,
    token: u64,
    queue: Arc<UnitQueue>,
    /// Its queue is emptied only when the history says so.
    slow: bool,
    got: BTreeSet<u64>,
    last: Option<u64>,
    /// Units it must have by now; only for those who are not slow.
    due: Vec<u64>,
}

impl Holder {
    /// Takes up to `units` units and decodes them.
    fn pop(&mut self, units: usize) {
        for _ in 0..units {
            let Some(unit) = self.queue.pop() else { return };
            let referred = match unit.reference {
                media::Reference::None => None,
                media::Reference::Frame(index) => Some(index.0),
            };
            let index = unit.index.0;
            assert!(
                referred.is_none_or(|referred| self.got.contains(&referred)),
                "viewer {} got {index}, which refers to {referred:?}, which it never got",
                self.viewer
            );
            assert!(self.last < Some(index), "units in order");
            self.got.insert(index);
            self.last = Some(index);
        }
    }
}

fn params(fps: u32, mbps: u64, scaled: bool) -> StreamParams {
    StreamParams {
        size: scaled.then_some(SCALED),
        rate: FrameRate::new(fps).unwrap(),
        bitrate: Bitrate::new(mbps * 1_000_000).unwrap(),
        codec: Codec::H264,
        profile: QualityProfile::Latency,
        slices: 1,
    }
}

struct World {
    looped: EncodeLoop,
    shared: Arc<Shared>,
    events: EventRing,
    screen: Screen,
    coder: Coder,
    oracle: Oracle,
    holders: Vec<Holder>,
    pending: Vec<Told>,
    now: MonoTime,
    staged: bool,
    shown: u64,
    /// The newest picture shown in this run.
    content: Option<u64>,
    running: bool,
    next_token: u64,
    openings: u64,
    coded: Vec<Coded>,
}

impl World {
    fn new(setting: Setting) -> Self {
        let coder = Coder::new(Script {
            abilities: setting.abilities,
            failing_opens: 0,
            failing_pictures: 0,
            panics: false,
            live: 0,
            log: Some(Vec::new()),
        });
        let screen = Screen::blank();
        let (sink, events) = EventRing::new(1 << 14);
        let params = params(setting.fps, 8, false);
        let parts = PipelineParts {
            number: 1,
            params,
            encoder_threads: 1,
            reference_pictures: setting.store,
            keep_alive: setting.keep_alive,
            open_source: screen.opener(),
            open_encoder: coder.opener(),
            events: sink,
            on_status: Box::new(|_| {}),
        };
        let shared = Arc::new(Shared::new(params, Box::new(|_| {})));
        Self {
            looped: EncodeLoop::new(parts, Arc::clone(&shared)),
            shared,
            events,
            screen,
            coder,
            oracle: Oracle::new(params, setting.abilities),
            holders: Vec::new(),
            pending: Vec::new(),
            now: START,
            staged: false,
            shown: 0,
            content: None,
            running: false,
            next_token: 1,
            openings: 0,
            coded: Vec::new(),
        }
    }

    fn not_before(&self) -> MonoTime {
        self.looped.not_before()
    }

    /// What the slot gives the loop at this moment, if anything.
    fn wake(&mut self) -> Option<Wake<media::Frame>> {
        let held = if self.now >= self.not_before() {
            MonoTime::ZERO
        } else {
            NEVER
        };
        match self.shared.slot.wait(held, Some(MonoTime::ZERO)) {
            Wake::Deadline => None,
            wake => Some(wake),
        }
    }

    /// When the loop wakes next without being woken.
    fn next_at(&self) -> Option<MonoTime> {
        let held = self.staged.then(|| self.not_before());
        [held, self.looped.deadline()].into_iter().flatten().min()
    }

    /// Lets the loop do all it has to do up to `to`.
    fn advance(&mut self, to: MonoTime) {
        loop {
            match self.wake() {
                Some(Wake::Value(fresh)) => {
                    self.staged = false;
                    self.turn(Some(fresh));
                }
                Some(_) => self.turn(None),
                None => match self.next_at() {
                    Some(at) if at <= to => {
                        self.now = self.now.max(at);
                        if !self.staged || self.now < self.not_before() {
                            self.turn(None);
                        }
                    }
                    _ => break,
                },
            }
        }
        self.now = self.now.max(to);
        self.oracle.check_owed(self.now);
        self.oracle.check_slates(self.now);
    }

    fn turn(&mut self, fresh: Option<media::Frame>) {
        let without_frame = fresh.is_none();
        if fresh.is_some() {
            self.pending.insert(0, Told::Picture);
        }
        self.looped.turn(fresh, self.now);
        let mut stopped = false;
        let mut pending = std::mem::take(&mut self.pending);
        pending.sort_by_key(|told| match told {
            Told::Picture | Told::Away => 0,
            Told::Leave { .. } => 2,
            _ => 1,
        });
        for told in pending {
            let was_running = self.oracle.running();
            self.oracle.tell(told, self.now);
            stopped |= was_running && !self.oracle.running();
        }
        let log = self.coder.take_log();
        self.oracle.observe(&log, self.now);
        if stopped || self.oracle.ended {
            (self.staged, self.content) = (false, None);
        }
        self.check_holders(&log);
        self.check_events();
        self.check_loop();
        if without_frame {
            let deadline = self.looped.deadline();
            assert!(deadline.is_none_or(|at| at > self.now), "the loop spins");
        }
    }

    fn check_holders(&mut self, log: &[Did]) {
        let members = self.oracle.members.clone();
        for did in log {
            let Did::Coded(coded) = *did else { continue };
            self.coded.push(coded);
            for holder in &mut self.holders {
                let present = members.iter().any(|member| member.token == holder.token);
                if present && (coded.reference.is_none() || !holder.due.is_empty()) {
                    holder.due.push(coded.index);
                }
            }
        }
        for holder in self.holders.iter_mut().filter(|holder| !holder.slow) {
            holder.pop(usize::MAX);
            let complete = holder.got.iter().eq(&holder.due);
            assert!(
                complete,
                "{}: {:?} of {:?}",
                holder.viewer, holder.got, holder.due
            );
        }
        for holder in &self.holders {
            let present = members.iter().any(|member| member.token == holder.token);
            let open = !holder.queue.is_closed();
            assert!(
                present || !open,
                "a queue that gets nothing any more is open"
            );
        }
    }

    fn check_events(&mut self) {
        while let Some(event) = self.events.pop() {
            match event {
                Event::PipelineChange(change) => {
                    assert_ne!(change.running, self.running, "starts and stops alternate");
                    self.running = change.running;
                }
                Event::UnitRefused(refused) => {
                    let slow = |holder: &Holder| holder.viewer == refused.viewer.0 && holder.slow;
                    assert!(
                        self.holders.iter().any(slow),
                        "a unit refused by a quick consumer"
                    );
                    self.oracle.refused = true;
                }
                Event::EncoderOpened(_) => self.openings += 1,
                _ => {}
            }
        }
        assert_eq!(
            self.openings, self.oracle.openings,
            "each new encoder is told"
        );
    }

    fn check_loop(&self) {
        let running = self.oracle.running();
        assert_eq!(self.looped.feed.is_running(), running);
        assert_eq!(self.running, running);
        let live = self.coder.script().live;
        assert!(live <= u32::from(running), "{live} encoders alive");
        let tokens = |member: &oracle::Member| (member.viewer, member.token);
        let expected: Vec<_> = self.oracle.members.iter().map(tokens).collect();
        let consumers = self.looped.consumers.iter();
        let got: Vec<_> = consumers
            .map(|known| (known.viewer.0, known.token))
            .collect();
        assert_eq!(got, expected, "consumers in the order in which they came");
        let cap = self.oracle.params.bitrate;
        assert!(self.looped.recoder.bitrate() <= cap, "within the budget");
        if let Some(rate) = self.oracle.lead_rate() {
            let rate = rate.min(cap);
            assert_eq!(self.looped.recoder.bitrate(), rate, "the lead's rate");
            assert!(
                live == 0 || self.oracle.bitrate == Some(rate),
                "in the encoder too"
            );
        }
        let status = self.shared.status.get();
        let told = status.encoder.is_some() && live > 0;
        assert!(
            !told || status.bitrate == self.oracle.bitrate,
            "the status tells the encoder's bitrate"
        );
        assert_eq!(self.shared.params(), self.oracle.params);
    }

    fn send(&mut self, command: Command, told: Told) {
        self.shared.send(command).unwrap();
        self.pending.push(told);
    }

    fn join(&mut self, viewer: u32) {
        let token = self.next_token;
        self.next_token += 1;
        let queue = UnitQueue::new(self.looped.clock.interval(), || {});
        let consumer = Consumer::new(ViewerId(viewer), token, Arc::clone(&queue));
        self.send(
            Command::Join(Box::new(consumer)),
            Told::Join { viewer, token },
        );
        self.holders.push(Holder {
            viewer,
            token,
            queue,
            slow: viewer >= 2,
            got: BTreeSet::new(),
            last: None,
            due: Vec::new(),
        });
    }

    fn leave(&mut self, at: usize) {
        let Holder {
            viewer,
            token,
            queue,
            ..
        } = self.holders.remove(at);
        self.shared.leave(Leave {
            viewer: ViewerId(viewer),
            token,
        });
        self.pending.push(Told::Leave { viewer, token });
        queue.close();
    }

    fn lose(&mut self, first: u64, last: u64) {
        let range = LostRange {
            first: FrameIndex(first),
            last: FrameIndex(last),
            reason: KeyframeReason::Loss,
        };
        self.send(Command::Lost(range), Told::Lost { first, last });
    }

    fn show(&mut self, size: Size) {
        if !self.running {
            return;
        }
        self.shown += 1;
        let content = self.oracle.runs << 32 | self.shown;
        let (intake, run) = (&self.shared.intake, self.looped.feed.run().unwrap());
        let picture = frame(content, size, self.now);
        let info = SourceInfo {
            name: "screen",
            detail: String::new(),
            size,
        };
        intake.tell(run, News::Present(info));
        assert_ne!(intake.put(run, picture), Put::Unwanted);
        self.pending.retain(|told| !matches!(told, Told::Away));
        (self.staged, self.content) = (true, Some(content));
    }

    fn lose_source(&mut self, unsupported: bool) {
        let Some(run) = self.looped.feed.run() else {
            return;
        };
        let kind = match unsupported {
            true => LossKind::Unsupported,
            false => LossKind::Absent,
        };
        let loss = Loss {
            kind,
            why: "told to".to_owned(),
            after_pictures: false,
        };
        self.shared.intake.tell(run, News::Lost(loss));
        self.pending.push(Told::Away);
        (self.staged, self.content) = (false, None);
    }

    fn set_params(&mut self, params: StreamParams) {
        let stated = self.shared.set_params(params);
        stated.unwrap();
        self.pending.push(Told::Params(params));
    }

    fn switch_encoder(&mut self) {
        let command = Command::Encoder {
            open: self.coder.opener(),
            done: Box::new(|_| {}),
        };
        self.send(command, Told::Switch);
    }

    fn apply(&mut self, op: &Op) {
        let holders = self.holders.len();
        match *op {
            Op::Join { viewer } => self.join(viewer),
            Op::Show { other_size } => self.show(if other_size { Size::new(32, 64) } else { SIZE }),
            Op::Play { frames, gap_us } => {
                for _ in 0..frames {
                    self.show(SIZE);
                    self.advance(self.now + Duration::from_micros(gap_us));
                }
            }
            Op::Pass { ms } => self.advance(self.now + Duration::from_millis(ms)),
            Op::Keyframe => {
                let command = Command::Keyframe(KeyframeReason::Requested);
                self.send(command, Told::Keyframe);
            }
            Op::Garbage { first, last } => self.lose(first, last),
            Op::FailPictures { count } => self.coder.script().failing_pictures = count,
            Op::Replace { abilities } => self.coder.script().abilities = abilities,
            Op::Away { unsupported } => self.lose_source(unsupported),
            Op::Params { fps, mbps, scaled } => self.set_params(params(fps, mbps, scaled)),
            Op::Switch => self.switch_encoder(),
            Op::Lead { viewer } => {
                self.send(Command::Lead(viewer.map(ViewerId)), Told::Lead { viewer });
            }
            Op::FailOpens { count } => self.coder.script().failing_opens = count,
            _ if holders == 0 => {}
            Op::Leave { pick } => self.leave(pick % holders),
            Op::Pop { pick, units } => self.holders[pick % holders].pop(units),
            Op::CloseQueue { pick } => {
                let holder = &mut self.holders[pick % holders];
                if holder.slow {
                    holder.queue.close();
                }
            }
            Op::Lose { pick, back, length } => {
                let got: Vec<_> = self.holders[pick % holders].got.iter().rev().collect();
                if let Some(&&last) = got.get(back) {
                    let first = got.get(back + length).map_or(last, |first| **first);
                    self.lose(first, last);
                }
            }
            Op::Rate { pick, mbps } => {
                let viewer = self.holders[pick % holders].viewer;
                let bitrate = Bitrate::new(mbps * 1_000_000).unwrap();
                let command = Command::Rate {
                    viewer: ViewerId(viewer),
                    bitrate,
                };
                self.send(command, Told::Rate { viewer, bitrate });
            }
        }
    }

    /// Whether nothing is left to be done but to keep consumers alive.
    fn rests(&self) -> bool {
        let next = self.next_at().map(|at| at.since(self.now));
        next.is_none_or(|pause| self.looped.keep_alive.is_some_and(|every| pause >= every))
    }

    /// Nothing happens any more and everybody reads: the loop must come to rest soon, and by then
    /// every viewer must see the newest picture at its best.
    fn settle(&mut self) {
        self.advance(self.now);
        if self.content.is_none() {
            self.show(SIZE);
        }
        let (since, coded) = (self.now, self.coded.len());
        self.coder.script().failing_opens = 0;
        self.coder.script().failing_pictures = 0;
        loop {
            self.advance(self.now);
            self.holders
                .iter_mut()
                .for_each(|holder| holder.pop(usize::MAX));
            self.advance(self.now);
            let Some(at) = self.next_at().filter(|_| !self.rests()) else {
                break;
            };
            self.advance(at);
            assert!(
                self.now.since(since) < Duration::from_secs(10),
                "never at rest"
            );
            assert!(
                self.coded.len() - coded < 60,
                "too many pictures of a still screen"
            );
        }
        assert!(self.oracle.newest.is_none() || self.oracle.owed_since.is_none());
        let Some(content) = self.content else { return };
        let newest = self.oracle.newest.expect("a shown picture is coded");
        assert_eq!(newest.content, content, "the newest picture is coded");
        assert!(
            !self.oracle.abilities.refines || newest.quantiser == LAST_QUANTISER,
            "at its best: {newest:?}"
        );
        for holder in self
            .holders
            .iter()
            .filter(|holder| !holder.queue.is_closed())
        {
            assert_eq!(
                holder.last,
                Some(newest.index),
                "viewer {} is behind",
                holder.viewer
            );
        }
    }

    /// At rest there are plain repeats at just the rate asked for, or none.
    fn rest(&mut self) {
        let (every, before) = (self.looped.keep_alive, self.coded.len());
        let quantiser = self.coded.last().map(|coded| coded.quantiser);
        self.advance(self.now + every.unwrap_or(KEEP_ALIVE) * 3);
        let showing = every.is_some() && self.content.is_some();
        let repeats = &self.coded[before..];
        assert_eq!(repeats.len(), if showing { 3 } else { 0 });
        let same = |coded: &Coded| coded.reference.is_some() && Some(coded.quantiser) == quantiser;
        assert!(repeats.iter().all(same), "{repeats:?} after {quantiser:?}");
    }

    fn finish(mut self) {
        while !self.holders.is_empty() {
            self.leave(0);
        }
        self.advance(self.now);
        assert!(self.shared.intake.wait_empty(HANG_GUARD).is_empty());
        assert_eq!((self.coder.script().live, self.screen.live()), (0, 0));
        assert!(self.screen.opens() <= self.oracle.runs);
        assert_eq!(self.looped.deadline(), None);
    }
}

fn op() -> impl Strategy<Value = Op> {
    let pick = || 0..8_usize;
    prop_oneof![
        6 => (0..4_u32).prop_map(|viewer| Op::Join { viewer }),
        3 => pick().prop_map(|pick| Op::Leave { pick }),
        8 => prop::bool::weighted(0.1).prop_map(|other_size| Op::Show { other_size }),
        4 => (1..20_u32, 1_000..120_000_u64).prop_map(|(frames, gap_us)| Op::Play { frames, gap_us }),
        1 => (200..400_u32, 16_000..20_000_u64).prop_map(|(frames, gap_us)| Op::Play { frames, gap_us }),
        8 => (0..120_u64).prop_map(|ms| Op::Pass { ms }),
        2 => (120..3_000_u64).prop_map(|ms| Op::Pass { ms }),
        8 => (pick(), 1..3_usize).prop_map(|(pick, units)| Op::Pop { pick, units }),
        1 => pick().prop_map(|pick| Op::CloseQueue { pick }),
        3 => Just(Op::Keyframe),
        6 => (pick(), 0..24_usize, 0..12_usize)
            .prop_map(|(pick, back, length)| Op::Lose { pick, back, length }),
        1 => (pick(), 250..400_usize, 0..300_usize)
            .prop_map(|(pick, back, length)| Op::Lose { pick, back, length }),
        1 => (0..600_u64, 0..600_u64).prop_map(|(first, last)| Op::Garbage { first, last }),
        1 => any::<(u64, u64)>().prop_map(|(first, last)| Op::Garbage { first, last }),
        1 => (1..8_u32).prop_map(|count| Op::FailPictures { count }),
        1 => (1..8_u32).prop_map(|count| Op::FailOpens { count }),
        2 => (pick(), 1..20_u64).prop_map(|(pick, mbps)| Op::Rate { pick, mbps }),
        2 => prop::option::of(0..4_u32).prop_map(|viewer| Op::Lead { viewer }),
        3 => prop::bool::weighted(0.2).prop_map(|unsupported| Op::Away { unsupported }),
        2 => (prop::sample::select(vec![10, 30, 60, 144]), 1..20_u64, any::<bool>())
            .prop_map(|(fps, mbps, scaled)| Op::Params { fps, mbps, scaled }),
        1 => Just(Op::Switch),
        1 => abilities().prop_map(|abilities| Op::Replace { abilities }),
    ]
}

fn abilities() -> impl Strategy<Value = Abilities> {
    let can = || prop::bool::weighted(0.8);
    (can(), can()).prop_map(|(invalidates, refines)| Abilities {
        invalidates,
        refines,
    })
}

fn setting() -> impl Strategy<Value = Setting> {
    let fps = prop::sample::select(vec![10, 30, 60, 144]);
    let keep_alive = prop::option::of(Just(KEEP_ALIVE));
    (fps, abilities(), 1..20_usize, keep_alive).prop_map(|(fps, abilities, store, keep_alive)| {
        Setting {
            fps,
            abilities,
            store,
            keep_alive,
        }
    })
}

/// Operations, each of which may wait for the next one before the loop hears of it.
fn history() -> impl Strategy<Value = Vec<(Op, bool)>> {
    prop::collection::vec((op(), prop::bool::weighted(0.3)), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4000,
        // What a failure shrinks to becomes a named case.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_loop_does_what_the_reference_model_allows(
        setting in setting(),
        history in history(),
    ) {
        let mut world = World::new(setting);
        for (op, held_up) in &history {
            world.apply(op);
            if !held_up {
                world.advance(world.now);
            }
        }
        world.settle();
        world.rest();
        world.apply(&Op::Keyframe);
        world.settle();
        world.finish();
    }
}
