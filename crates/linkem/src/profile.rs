//! Network shapes over time: phases of conditions, and the named shapes that adaptation and loss
//! are judged on (RFC 8867 and a few of home networks), as multiples of a reference rate.

use std::time::Duration;

use crate::{Bottleneck, Conditions, Loss, PerDirection, QueueLimit};

/// What a bottleneck lets through at once after idle time, in every named shape.
const BURST_BYTES: u64 = 20_000;
/// What waits at a bottleneck, in every named shape that does not say otherwise.
const QUEUE: QueueLimit = QueueLimit::Bytes(1 << 20);
/// The loss of `lan_loss` when none is named.
const LAN_LOSS_PERCENT: f64 = 1.0;

/// Conditions that hold for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// For how long. The last phase stays in force when its time is over.
    pub lasts: Duration,
    /// What it does to packets.
    pub conditions: PerDirection<Conditions>,
}

/// What a link does over time. It holds the first phase until it is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The phases, in order; at least one.
    pub phases: Vec<Phase>,
    /// Decides every chance the link takes.
    pub seed: u64,
}

/// What the ratios of a named shape are multiples of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// The rate at ratio 1.
    pub rate_bps: u64,
    /// The round trip of shapes that do not say their own.
    pub rtt: Duration,
}

impl Default for Reference {
    /// A desktop stream to another city: 10 Mb/s, 40 ms.
    fn default() -> Self {
        Self {
            rate_bps: 10_000_000,
            rtt: Duration::from_millis(40),
        }
    }
}

/// Why a name is not a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// There is no such shape.
    #[error(
        "unknown profile {0:?}; known: single_flow variable half_loss quick lan_loss[:PERCENT[:BURST]] wifi wan blackout"
    )]
    Unknown(String),
    /// The loss of `lan_loss` is not a share, or its burst not a length.
    #[error("{0:?} is not a loss: PERCENT goes from 0 to 100, BURST from 1")]
    Loss(String),
}

impl Profile {
    /// The same conditions both ways, for good.
    pub fn steady(conditions: Conditions) -> Self {
        let phase = Phase {
            lasts: Duration::ZERO,
            conditions: PerDirection {
                host_to_client: conditions,
                client_to_host: conditions,
            },
        };
        Self {
            phases: vec![phase],
            seed: 1,
        }
    }

    /// The same profile with other chances.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The shape of this name. `lan_loss` takes its loss after colons: `lan_loss:3:8` loses 3 % in
    /// bursts of 8.
    pub fn named(name: &str, reference: Reference) -> Result<Self, ProfileError> {
        let shape = Shape { reference };
        let phases = match name.split_once(':').unwrap_or((name, "")) {
            ("single_flow", "") => {
                shape.steps(&[(40.0, 1.0), (20.0, 2.5), (20.0, 0.5), (20.0, 1.0)])
            }
            ("variable", "") => shape.variable(),
            ("half_loss", "") => shape.half_loss(),
            ("quick", "") => shape.steps(&[(15.0, 1.0), (15.0, 2.5)]),
            ("lan_loss", loss) => shape.lan_loss(lan_loss(loss)?),
            ("wifi", "") => shape.wifi(),
            ("wan", "") => shape.wan(),
            ("blackout", "") => shape.blackout(),
            _ => return Err(ProfileError::Unknown(name.into())),
        };
        Ok(Self { phases, seed: 1 })
    }

    /// How long it takes to play.
    pub fn length(&self) -> Duration {
        self.phases.iter().map(|phase| phase.lasts).sum()
    }
}

/// Builds phases from ratios.
struct Shape {
    reference: Reference,
}

impl Shape {
    /// A bottleneck of this ratio both ways, with the reference's round trip.
    fn at(&self, ratio: f64) -> Conditions {
        let bottleneck = Bottleneck {
            rate_bps: (self.reference.rate_bps as f64 * ratio).round() as u64,
            queue: QUEUE,
            burst_bytes: BURST_BYTES,
        };
        Conditions {
            delay: self.reference.rtt / 2,
            bottleneck: Some(bottleneck),
            ..Conditions::default()
        }
    }

    fn steps(&self, seconds_at_ratio: &[(f64, f64)]) -> Vec<Phase> {
        let phase = |&(seconds, ratio)| both_ways(seconds, self.at(ratio));
        seconds_at_ratio.iter().map(phase).collect()
    }

    fn variable(&self) -> Vec<Phase> {
        self.steps(&[
            (25.0, 2.0),
            (25.0, 1.0),
            (25.0, 1.75),
            (25.0, 0.5),
            (25.0, 1.0),
        ])
    }

    fn half_loss(&self) -> Vec<Phase> {
        let mut phases = self.variable();
        // Only the data is lost; feedback gets through.
        phases[1].conditions.host_to_client.loss = Loss::random(0.5);
        phases
    }

    fn lan_loss(&self, loss: Loss) -> Vec<Phase> {
        let delay = Duration::from_millis(1);
        vec![both_ways(
            60.0,
            Conditions {
                delay,
                loss,
                ..self.at(10.0)
            },
        )]
    }

    fn wifi(&self) -> Vec<Phase> {
        let conditions = Conditions {
            // Half the round trip, and the jitter of 2 to 15 ms on top of it.
            delay: Duration::from_millis(4 + 2),
            jitter: Duration::from_millis(15 - 2),
            loss: Loss::bursts(0.01, 8.0),
            ..self.at(3.0)
        };
        vec![both_ways(60.0, conditions)]
    }

    fn wan(&self) -> Vec<Phase> {
        let mut conditions = Conditions {
            delay: Duration::from_millis(30),
            loss: Loss::random(0.007),
            ..self.at(1.2)
        };
        if let Some(hop) = &mut conditions.bottleneck {
            hop.queue = QueueLimit::Time(Duration::from_millis(250));
        }
        vec![both_ways(60.0, conditions)]
    }

    fn blackout(&self) -> Vec<Phase> {
        let mut phases = self.steps(&[(20.0, 1.0), (1.5, 1.0), (20.0, 1.0)]);
        phases[1].conditions.host_to_client.blackout = true;
        phases[1].conditions.client_to_host.blackout = true;
        phases
    }
}

fn both_ways(seconds: f64, conditions: Conditions) -> Phase {
    Phase {
        lasts: Duration::from_secs_f64(seconds),
        conditions: PerDirection {
            host_to_client: conditions,
            client_to_host: conditions,
        },
    }
}

/// `""`, `"3"` or `"3:8"`.
fn lan_loss(text: &str) -> Result<Loss, ProfileError> {
    if text.is_empty() {
        return Ok(Loss::random(LAN_LOSS_PERCENT / 100.0));
    }
    let (percent, burst) = text.split_once(':').unwrap_or((text, "1"));
    match (percent.parse::<f64>(), burst.parse::<f64>()) {
        (Ok(percent), Ok(burst)) if (0.0..=100.0).contains(&percent) && burst >= 1.0 => {
            Ok(Loss::bursts(percent / 100.0, burst))
        }
        _ => Err(ProfileError::Loss(text.into())),
    }
}

#[cfg(test)]
mod tests {
    //! The named shapes, against the table they come from.

    use super::*;

    fn named(name: &str) -> Profile {
        Profile::named(name, Reference::default()).expect("a known profile")
    }

    /// Seconds and Mb/s of each phase.
    fn rates(profile: &Profile) -> Vec<(f64, f64)> {
        let rate = |phase: &Phase| {
            let hop = phase
                .conditions
                .host_to_client
                .bottleneck
                .expect("a bottleneck");
            (phase.lasts.as_secs_f64(), hop.rate_bps as f64 / 1e6)
        };
        profile.phases.iter().map(rate).collect()
    }

    #[test]
    fn phases_are_ratios_of_the_reference() {
        let single_flow = [(40.0, 10.0), (20.0, 25.0), (20.0, 5.0), (20.0, 10.0)];
        assert_eq!(rates(&named("single_flow")), single_flow);
        let variable = [
            (25.0, 20.0),
            (25.0, 10.0),
            (25.0, 17.5),
            (25.0, 5.0),
            (25.0, 10.0),
        ];
        assert_eq!(rates(&named("variable")), variable);
        assert_eq!(rates(&named("half_loss")), variable);
        assert_eq!(rates(&named("quick")), [(15.0, 10.0), (15.0, 25.0)]);
        assert_eq!(rates(&named("wan")), [(60.0, 12.0)]);
        assert_eq!(named("blackout").length(), Duration::from_millis(41_500));
    }

    #[test]
    fn half_loss_spares_the_feedback() {
        let phases = named("half_loss").phases;
        let ratios = phases
            .iter()
            .map(|phase| phase.conditions.host_to_client.loss.ratio);
        assert_eq!(ratios.collect::<Vec<_>>(), [0.0, 0.5, 0.0, 0.0, 0.0]);
        assert!(
            phases
                .iter()
                .all(|phase| phase.conditions.client_to_host.loss.ratio == 0.0)
        );
    }

    #[test]
    fn lan_loss_takes_its_loss_from_the_name() {
        let loss = |name: &str| named(name).phases[0].conditions.host_to_client.loss;
        assert_eq!(loss("lan_loss"), Loss::random(0.01));
        assert_eq!(loss("lan_loss:0.5"), Loss::random(0.005));
        assert_eq!(loss("lan_loss:3:8"), Loss::bursts(0.03, 8.0));
        for bad in [
            "lan_loss:x",
            "lan_loss:101",
            "lan_loss:3:0",
            "lan_loss:3:",
            "lan_loss:nan",
        ] {
            let error = Profile::named(bad, Reference::default());
            assert!(matches!(error, Err(ProfileError::Loss(_))), "{bad}");
        }
    }

    #[test]
    fn other_names_are_unknown() {
        for name in ["", "LAN_LOSS", "wan:3", "quick "] {
            let error = Profile::named(name, Reference::default());
            assert_eq!(error, Err(ProfileError::Unknown(name.into())));
        }
    }
}
