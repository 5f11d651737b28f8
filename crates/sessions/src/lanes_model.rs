//! The lanes under every schedule that a model checker tries: order, independence of the lanes, bounds,
//! and teardown, also from inside a call.

use super::*;
use crate::dispatch::CONCURRENT;
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng as _, thread_rng};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// Schedules tried per test.
const SCHEDULES: usize = 1000;

struct OnModel;

impl Spawn for OnModel {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(spawn(task));
    }
}

/// What a session's lease is asked for, as the engine sees it.
#[derive(Default)]
struct Lease {
    held: bool,
    released: bool,
    log: Vec<u32>,
}

type World = Arc<Mutex<Lease>>;

fn world() -> World {
    Arc::new(Mutex::new(Lease {
        held: true,
        ..Lease::default()
    }))
}

fn see<T>(world: &World, look: impl FnOnce(&mut Lease) -> T) -> T {
    look(&mut world.lock().unwrap())
}

enum Action {
    /// Takes several steps, then is noted.
    Note(u32),
    /// Takes several steps, then pauses or resumes unless the session is over.
    Want(bool),
    /// Waits until it is told to go on.
    Hold(oneshot::Receiver<()>),
    /// Ends the connection from inside.
    TearDown(Arc<Lanes<Step, OnModel>>),
}

struct Step {
    action: Action,
    world: World,
}

impl Weigh for Step {
    fn bytes(&self) -> usize {
        1
    }

    fn merge(&mut self, newer: Self) -> Result<(), Self> {
        match (&self.action, &newer.action) {
            (Action::Want(_), Action::Want(_)) => {
                *self = newer;
                Ok(())
            }
            _ => Err(newer),
        }
    }
}

impl Job for Step {
    async fn run(self) {
        for _ in 0..thread_rng().gen_range(0..3) {
            yield_now().await;
        }
        match self.action {
            Action::Note(number) => see(&self.world, |lease| lease.log.push(number)),
            Action::Want(paused) => see(&self.world, |lease| {
                // As a session does it: under one lock with the end of the session.
                if !lease.released {
                    lease.held = !paused;
                }
            }),
            Action::Hold(go) => drop(go.await),
            Action::TearDown(lanes) => {
                // The drain waits for this call, so it is left to a task of its own.
                let world = Arc::clone(&self.world);
                drop(spawn(async move {
                    lanes.drain().await;
                    release(&world);
                }));
            }
        }
    }
}

fn release(world: &World) {
    see(world, |lease| {
        assert!(!lease.released, "released twice");
        (lease.released, lease.held) = (true, false);
    });
}

fn step(world: &World, action: Action) -> Step {
    Step {
        action,
        world: Arc::clone(world),
    }
}

fn lanes() -> Arc<Lanes<Step, OnModel>> {
    Arc::new(Lanes::new(OnModel))
}

#[test]
fn ordered_calls_run_in_the_order_of_their_arrival() {
    shuttle::check_random(
        || {
            let (lanes, world) = (lanes(), world());
            block_on(async {
                for number in 0..8 {
                    lanes
                        .ordered(step(&world, Action::Note(number)))
                        .ok()
                        .unwrap();
                    if thread_rng().gen_bool(0.5) {
                        yield_now().await;
                    }
                }
                lanes.drain().await;
            });
            assert_eq!(
                see(&world, |lease| lease.log.clone()),
                (0..8).collect::<Vec<_>>()
            );
        },
        SCHEDULES,
    );
}

#[test]
fn a_storm_of_pauses_ends_in_the_last_word() {
    shuttle::check_random(
        || {
            let (lanes, world) = (lanes(), world());
            let last = block_on(async {
                let mut last = false;
                for _ in 0..thread_rng().gen_range(1..30) {
                    last = thread_rng().gen_bool(0.5);
                    lanes
                        .ordered(step(&world, Action::Want(last)))
                        .ok()
                        .unwrap();
                    if thread_rng().gen_bool(0.2) {
                        yield_now().await;
                    }
                }
                lanes.drain().await;
                last
            });
            assert_eq!(see(&world, |lease| lease.held), !last);
        },
        SCHEDULES,
    );
}

#[test]
fn a_slow_ordered_call_holds_up_neither_the_reader_nor_the_other_lane() {
    shuttle::check_random(
        || {
            let (lanes, world) = (lanes(), world());
            block_on(async {
                let (go, held) = oneshot::channel();
                lanes
                    .ordered(step(&world, Action::Hold(held)))
                    .ok()
                    .unwrap();
                lanes.ordered(step(&world, Action::Note(2))).ok().unwrap();
                lanes
                    .concurrent(step(&world, Action::Note(1)))
                    .ok()
                    .unwrap();
                // Were the concurrent call to wait for the held one, this would never end.
                while see(&world, |lease| lease.log.is_empty()) {
                    yield_now().await;
                }
                assert_eq!(see(&world, |lease| lease.log.clone()), [1]);
                go.send(()).unwrap();
                lanes.drain().await;
            });
            assert_eq!(see(&world, |lease| lease.log.clone()), [1, 2]);
        },
        SCHEDULES,
    );
}

#[test]
fn concurrent_calls_are_bounded_and_make_room_when_they_are_done() {
    shuttle::check_random(
        || {
            let (lanes, world) = (lanes(), world());
            block_on(async {
                let mut holders = Vec::new();
                for _ in 0..CONCURRENT {
                    let (go, held) = oneshot::channel();
                    lanes
                        .concurrent(step(&world, Action::Hold(held)))
                        .ok()
                        .unwrap();
                    holders.push(go);
                }
                let refused = lanes.concurrent(step(&world, Action::Note(1)));
                assert!(matches!(refused, Err(NotNow::Busy(_))));
                drop(holders.pop());
                while lanes.concurrent(step(&world, Action::Note(2))).is_err() {
                    yield_now().await;
                }
                while see(&world, |lease| lease.log.is_empty()) {
                    yield_now().await;
                }
            });
            assert_eq!(see(&world, |lease| lease.log.clone()), [2]);
        },
        100,
    );
}

/// Whatever the schedule: what was queued before the end runs, what comes after it is refused, and the
/// lease is released once and stays so.
#[test]
fn teardown_drains_then_releases_and_no_queued_resume_takes_the_lease_again() {
    shuttle::check_random(
        || {
            let (lanes, world) = (lanes(), world());
            let drained = Arc::new(AtomicBool::new(false));
            let client = spawn({
                let (lanes, world) = (Arc::clone(&lanes), Arc::clone(&world));
                let drained = Arc::clone(&drained);
                async move {
                    for number in 0..6 {
                        let action = if number % 2 == 0 {
                            Action::Want(false)
                        } else {
                            Action::Note(number)
                        };
                        if let Err(refused) = lanes.ordered(step(&world, action)) {
                            assert!(matches!(refused, NotNow::Closed(_)));
                        } else {
                            assert!(!drained.load(Ordering::SeqCst), "taken after the end");
                        }
                        yield_now().await;
                    }
                }
            });
            block_on(async {
                yield_now().await;
                lanes.drain().await;
                drained.store(true, Ordering::SeqCst);
                release(&world);
                client.await.unwrap();
            });
            assert!(see(&world, |lease| lease.released && !lease.held));
            // In order, without gaps: 1, 3, 5 as far as it came.
            let log = see(&world, |lease| lease.log.clone());
            assert_eq!(log, [1, 3, 5][..log.len()]);
        },
        SCHEDULES,
    );
}

#[test]
fn teardown_from_inside_a_call_ends_as_well() {
    shuttle::check_random(
        || {
            let (lanes, world) = (lanes(), world());
            block_on(async {
                let end = Action::TearDown(Arc::clone(&lanes));
                lanes.ordered(step(&world, end)).ok().unwrap();
                // It may come before the end or after it; either way it takes nothing afterwards.
                let _ = lanes.ordered(step(&world, Action::Want(false)));
                while !see(&world, |lease| lease.released) {
                    yield_now().await;
                }
                for _ in 0..4 {
                    yield_now().await;
                }
            });
            assert!(!see(&world, |lease| lease.held));
        },
        SCHEDULES,
    );
}

#[test]
fn a_call_that_never_ends_costs_the_others_their_turn_but_not_the_teardown() {
    shuttle::check_random(
        || {
            let (lanes, world) = (lanes(), world());
            block_on(async {
                let (go, held) = oneshot::channel();
                lanes
                    .ordered(step(&world, Action::Hold(held)))
                    .ok()
                    .unwrap();
                lanes
                    .ordered(step(&world, Action::Want(false)))
                    .ok()
                    .unwrap();
                // The limit is over.
                assert_eq!(lanes.abandon().len(), 1);
                release(&world);
                drop(go);
                lanes.drain().await;
            });
            assert!(!see(&world, |lease| lease.held));
        },
        SCHEDULES,
    );
}
