//! The log of a link: one CSV row every 100 ms, with times that can be laid beside other logs.

use std::io::{self, Write};
use std::time::Duration;

use crate::path::QueueWaits;
use crate::{DirectionCounters, PerDirection};

/// How often a row is written.
const EVERY: Duration = Duration::from_millis(100);

const HEADER: &str = "t_ms,h2c_in_b,h2c_out_b,lost,qdrop,black,c2h_out_b,\
                      qdelay_max_ms,qdelay_avg_ms,qlen_b,c2h_lost,c2h_qdrop\n";

/// A CSV file in the making.
pub(crate) struct Log {
    out: Box<dyn Write + Send>,
    next_at: Duration,
}

/// What a row shows.
pub(crate) struct Sample {
    /// Unix milliseconds.
    pub(crate) t_ms: f64,
    pub(crate) counters: PerDirection<DirectionCounters>,
    pub(crate) waits: QueueWaits,
}

impl Log {
    /// Writes the header; the first row is due at `now`.
    pub(crate) fn start(mut out: Box<dyn Write + Send>, now: Duration) -> io::Result<Self> {
        out.write_all(HEADER.as_bytes())?;
        Ok(Self { out, next_at: now })
    }

    /// When the next row is due.
    pub(crate) fn deadline(&self) -> Duration {
        self.next_at
    }

    /// Writes a row in one piece, so that a reader never meets half of one.
    pub(crate) fn write(&mut self, sample: &Sample, now: Duration) -> io::Result<()> {
        let data = &sample.counters.host_to_client;
        let back = &sample.counters.client_to_host;
        let row = format!(
            "{:.1},{},{},{},{},{},{},{:.2},{:.2},{},{},{}\n",
            sample.t_ms,
            data.in_bytes,
            data.out_bytes,
            data.lost,
            data.queue_drops,
            data.blacked_out,
            back.out_bytes,
            sample.waits.longest.as_secs_f64() * 1e3,
            sample.waits.mean().as_secs_f64() * 1e3,
            data.queued_bytes,
            back.lost,
            back.queue_drops,
        );
        self.out.write_all(row.as_bytes())?;
        self.next_at = (self.next_at + EVERY).max(now);
        self.out.flush()
    }
}
