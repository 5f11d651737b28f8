//! Both directions of a link and the timeline of its profile, in pure time. The thread in
//! `worker` feeds it packets and the clock; tests feed it whatever they like.

use std::time::Duration;

use crate::path::{Path, QueueWaits};
use crate::{Command, Conditions, Direction, DirectionCounters, PerDirection, Phase};

/// Phases that are being played.
struct Timeline {
    phases: std::vec::IntoIter<Phase>,
    /// When the phase in force ends.
    next_at: Duration,
}

/// The link without its devices.
pub(crate) struct Emulator {
    paths: PerDirection<Path>,
    phases: Vec<Phase>,
    timeline: Option<Timeline>,
}

impl Emulator {
    /// Holds `conditions` until `phases` are played.
    pub(crate) fn new(conditions: PerDirection<Conditions>, phases: Vec<Phase>, seed: u64) -> Self {
        let paths = PerDirection {
            host_to_client: Path::new(conditions.host_to_client, seed),
            client_to_host: Path::new(conditions.client_to_host, reverse_seed(seed)),
        };
        Self {
            paths,
            phases,
            timeline: None,
        }
    }

    /// Takes in what a TUN device handed out. Anything but IPv4 is not this link's business: the
    /// kernel's IPv6 chatter would only blur the counters.
    pub(crate) fn enter(&mut self, direction: Direction, packet: &[u8], now: Duration) {
        if packet.first().is_some_and(|first| first >> 4 == 4) {
            self.paths[direction].enter(packet, now);
        }
    }

    /// Brings both paths to `now`, through every change of phase on the way, each at its own time.
    pub(crate) fn advance(&mut self, now: Duration) {
        while let Some(timeline) = &mut self.timeline {
            let at = timeline.next_at;
            if at > now {
                break;
            }
            match timeline.phases.next() {
                Some(phase) => {
                    timeline.next_at = at.saturating_add(phase.lasts);
                    self.set_conditions(phase.conditions, at);
                }
                None => self.timeline = None,
            }
        }
        for direction in Direction::BOTH {
            self.paths[direction].advance(now);
        }
    }

    /// The next packet for the far end of `direction`.
    pub(crate) fn pop_due(&mut self, direction: Direction, now: Duration) -> Option<Box<[u8]>> {
        self.paths[direction].pop_due(now)
    }

    pub(crate) fn count_delivery(&mut self, direction: Direction, length: usize, accepted: bool) {
        self.paths[direction].count_delivery(length, accepted);
    }

    /// When there is something to do next, if nothing comes in before.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let phase = self.timeline.as_ref().map(|timeline| timeline.next_at);
        let paths = Direction::BOTH
            .iter()
            .filter_map(|way| self.paths[*way].deadline());
        paths.chain(phase).min()
    }

    /// Plays the phases from their beginning.
    pub(crate) fn play(&mut self, now: Duration) {
        self.timeline = Some(Timeline {
            phases: self.phases.clone().into_iter(),
            next_at: now,
        });
        self.advance(now);
    }

    pub(crate) fn set_phases(&mut self, phases: Vec<Phase>) {
        self.phases = phases;
    }

    pub(crate) fn set_conditions(&mut self, conditions: PerDirection<Conditions>, now: Duration) {
        for direction in Direction::BOTH {
            self.paths[direction].set_conditions(conditions[direction], now);
        }
    }

    pub(crate) fn apply(&mut self, command: Command, now: Duration) {
        match command {
            Command::Delay(delay) => self.change_both(now, |c| c.delay = delay),
            Command::Jitter(jitter) => self.change_both(now, |c| c.jitter = jitter),
            Command::Loss(way, loss) => self.change(way, now, |c| c.loss = loss),
            Command::Reorder(way, reorder) => self.change(way, now, |c| c.reorder = reorder),
            Command::Rate(way, hop) => self.change(way, now, |c| c.bottleneck = hop),
            Command::Blackout(black) => self.change_both(now, |c| c.blackout = black),
            Command::Seed(seed) => {
                self.paths.host_to_client.reseed(seed);
                self.paths.client_to_host.reseed(reverse_seed(seed));
            }
            Command::Play => self.play(now),
            Command::Stat => {}
        }
    }

    fn change(&mut self, way: Direction, now: Duration, change: impl Fn(&mut Conditions)) {
        let mut conditions = *self.paths[way].conditions();
        change(&mut conditions);
        self.paths[way].set_conditions(conditions, now);
    }

    fn change_both(&mut self, now: Duration, change: impl Fn(&mut Conditions)) {
        for direction in Direction::BOTH {
            self.change(direction, now, &change);
        }
    }

    pub(crate) fn counters(&self) -> PerDirection<DirectionCounters> {
        PerDirection {
            host_to_client: self.paths.host_to_client.counters(),
            client_to_host: self.paths.client_to_host.counters(),
        }
    }

    /// How long data waited at the bottleneck since the last call.
    pub(crate) fn take_data_waits(&mut self) -> QueueWaits {
        self.paths.host_to_client.take_waits()
    }
}

/// The directions draw from one seed without mirroring each other.
fn reverse_seed(seed: u64) -> u64 {
    !seed
}

#[cfg(test)]
mod tests {
    //! The link as a whole in virtual time.

    use super::*;
    use crate::{Loss, Profile};

    const PACKET: [u8; 100] = [0x45; 100];

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn emulator(conditions: Conditions) -> Emulator {
        let profile = Profile::steady(conditions);
        Emulator::new(profile.phases[0].conditions, profile.phases, 1)
    }

    #[test]
    fn only_ipv4_is_carried() {
        let mut link = emulator(Conditions::default());
        for packet in [&[][..], &[0x60; 40], &[0x00], &[0xff; 1600]] {
            link.enter(Direction::HostToClient, packet, ms(0));
        }
        link.enter(Direction::HostToClient, &PACKET, ms(0));
        assert_eq!(link.counters().host_to_client.in_packets, 1);
    }

    #[test]
    fn commands_reach_the_direction_they_name() {
        let mut link = emulator(Conditions::default());
        link.apply(
            Command::Loss(Direction::ClientToHost, Loss::random(1.0)),
            ms(0),
        );
        link.apply(Command::Delay(ms(9)), ms(0));
        for direction in Direction::BOTH {
            link.enter(direction, &PACKET, ms(0));
        }
        assert_eq!(link.counters().client_to_host.lost, 1);
        assert_eq!(link.counters().host_to_client.lost, 0);
        assert_eq!(link.deadline(), Some(ms(9)));
    }

    #[test]
    fn phases_change_at_their_own_times_however_late_the_wake_up() {
        let phase = |delay_ms, lasts_ms| Phase {
            lasts: ms(lasts_ms),
            conditions: PerDirection {
                host_to_client: Conditions {
                    delay: ms(delay_ms),
                    ..Conditions::default()
                },
                client_to_host: Conditions::default(),
            },
        };
        let phases = vec![phase(1, 100), phase(2, 100), phase(3, 100)];
        let mut link = Emulator::new(phases[0].conditions, phases, 1);
        assert_eq!(link.deadline(), None, "nothing moves before it is played");

        link.play(ms(1000));
        assert_eq!(link.deadline(), Some(ms(1100)));
        link.advance(ms(1250));
        link.enter(Direction::HostToClient, &PACKET, ms(1250));
        assert_eq!(link.deadline(), Some(ms(1253)));
        link.advance(ms(9999));
        assert!(link.pop_due(Direction::HostToClient, ms(9999)).is_some());
        assert_eq!(link.deadline(), None, "the last phase stays");
        link.enter(Direction::HostToClient, &PACKET, ms(9999));
        assert_eq!(link.deadline(), Some(ms(10_002)));
    }

    #[test]
    fn one_seed_gives_one_outcome_and_the_directions_differ() {
        let outcome = |seed| {
            let mut link = emulator(Conditions {
                loss: Loss::random(0.3),
                ..Conditions::default()
            });
            link.apply(Command::Seed(seed), ms(0));
            Direction::BOTH.map(|direction| {
                (0..200)
                    .map(|_| {
                        link.enter(direction, &PACKET, ms(0));
                        link.counters()[direction].lost
                    })
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(outcome(4), outcome(4));
        assert_ne!(outcome(4), outcome(5));
        assert_ne!(outcome(4)[0], outcome(4)[1]);
    }
}
