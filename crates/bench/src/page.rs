//! The host's page in a tab, with the measuring script inside: navigates, takes records, reads the
//! browser's counters and compares clocks.

use crate::BenchError;
use crate::cdp::{Cdp, Tab};
use crate::frames::Batch;
use crate::viewer::ReceiverCounters;
use media::Size;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const MEASURE: &str = include_str!("page/measure.js");
const PRESSES: &str = include_str!("page/presses.js");
const READER: &str = include_str!("page/reader.js");
const BARCODE: &str = include_str!("page/barcode.js");

/// A page that shows nothing by then never will.
pub(crate) const PICTURE_LIMIT: Duration = Duration::from_secs(20);
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Round trips to compare the clocks: the quickest few decide.
const CLOCK_ROUND_TRIPS: usize = 60;
/// Browsers round the time that pages see to this.
const PAGE_CLOCK_STEP_MS: f64 = 0.1;

/// This machine's wall clock, as the page and the barcode have it.
pub(crate) fn wall_ms() -> f64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_secs_f64() * 1000.0
}

/// How far the page's clock is ahead of this machine's wall clock: it is between these two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClockBounds {
    /// At least.
    pub least_ms: f64,
    /// At most.
    pub most_ms: f64,
}

impl ClockBounds {
    /// What is known before the first round trip.
    const UNKNOWN: Self = Self {
        least_ms: f64::NEG_INFINITY,
        most_ms: f64::INFINITY,
    };

    /// Of a viewer that has this machine's.
    pub(crate) const SAME: Self = Self {
        least_ms: 0.0,
        most_ms: 0.0,
    };

    /// Takes in a reading of the page's clock that was asked for and answered at these times.
    fn narrowed(self, asked_ms: f64, page_ms: f64, answered_ms: f64) -> Self {
        Self {
            least_ms: self
                .least_ms
                .max(page_ms - answered_ms - PAGE_CLOCK_STEP_MS),
            most_ms: self.most_ms.min(page_ms - asked_ms + PAGE_CLOCK_STEP_MS),
        }
    }

    /// What to correct by. Both clocks come from the same hardware, so that only what cannot be
    /// chance is corrected.
    #[must_use]
    pub fn correction_ms(self) -> f64 {
        let agree = self.least_ms <= 0.0 && self.most_ms >= 0.0;
        if agree || self.least_ms > self.most_ms {
            0.0
        } else {
            f64::midpoint(self.least_ms, self.most_ms)
        }
    }
}

/// A tab whose pages are measured.
#[derive(Clone, Debug)]
pub(crate) struct MeasuredPage {
    pub(crate) tab: Tab,
}

impl MeasuredPage {
    /// Opens a tab; `source` is the size of the picture that holds the barcode.
    pub(crate) fn open(cdp: &mut Cdp, source: Size) -> Result<Self, BenchError> {
        let tab = cdp.open_tab()?;
        let setup = json!({
            "readerSource": format!("{BARCODE}\n{READER}"),
            "sourceWidth": source.width,
            "sourceHeight": source.height,
        });
        cdp.run_first(
            &tab,
            &format!("{PRESSES}\n{MEASURE}\nmeasureHeliostat({setup});"),
        )?;
        Ok(Self { tab })
    }

    /// Goes to `url` and waits for its first readable frame. Answers the milliseconds to it, and
    /// all records so far.
    pub(crate) fn show(&self, cdp: &mut Cdp, url: &str) -> Result<(f64, Batch), BenchError> {
        let started_ms = wall_ms();
        navigate(cdp, &self.tab, url)?;
        let deadline = Instant::now() + PICTURE_LIMIT;
        loop {
            let batch = self.take(cdp)?;
            if let Some((readable_ms, ..)) = batch.frames.first() {
                return Ok((readable_ms - started_ms, batch));
            }
            if Instant::now() > deadline {
                return Err(self.why_dark(cdp, &batch));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn why_dark(&self, cdp: &mut Cdp, batch: &Batch) -> BenchError {
        let state = cdp.evaluate(
            &self.tab,
            "window.heliostat?.state ?? 'not the viewer page'",
        );
        let text = cdp.evaluate(&self.tab, "document.body.innerText.slice(0, 300)");
        let words = |value: Result<Value, _>| value.map_or_else(|_| String::new(), said);
        let unreadable = batch.unreadable;
        BenchError::NothingMeasured(format!(
            "after {} s the page is {}, with {unreadable} unreadable frames lately; it says: {}",
            PICTURE_LIMIT.as_secs(),
            words(state),
            words(text),
        ))
    }

    /// Everything since the last time.
    pub(crate) fn take(&self, cdp: &mut Cdp) -> Result<Batch, BenchError> {
        let taken = cdp.evaluate(&self.tab, "heliostatBench.take()")?;
        let batch: Batch = serde_json::from_value(taken)
            .map_err(|error| BenchError::Page(format!("records of another shape: {error}")))?;
        match batch.problems.first() {
            Some(problem) => Err(BenchError::Page(problem.clone())),
            None => Ok(batch),
        }
    }

    /// The browser's counters of the stream.
    pub(crate) fn receiver(&self, cdp: &mut Cdp) -> Result<ReceiverCounters, BenchError> {
        let reports = cdp.evaluate(&self.tab, "heliostatBench.receiver()")?;
        Ok(ReceiverCounters::new(reports))
    }

    /// Compares the page's clock with this machine's.
    pub(crate) fn compare_clocks(&self, cdp: &mut Cdp) -> Result<ClockBounds, BenchError> {
        let mut bounds = ClockBounds::UNKNOWN;
        for _ in 0..CLOCK_ROUND_TRIPS {
            let asked_ms = wall_ms();
            let page = cdp.evaluate(&self.tab, "heliostatBench.wallMs()")?;
            let answered_ms = wall_ms();
            let page_ms = page
                .as_f64()
                .ok_or_else(|| BenchError::Page("tells no time".to_owned()))?;
            bounds = bounds.narrowed(asked_ms, page_ms, answered_ms);
        }
        Ok(bounds)
    }
}

fn said(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Sends a tab to an address.
pub(crate) fn navigate(cdp: &mut Cdp, tab: &Tab, url: &str) -> Result<(), BenchError> {
    let answer = cdp.call_tab(tab, "Page.navigate", &json!({"url": url}))?;
    match answer["errorText"].as_str() {
        Some(error) => Err(BenchError::Page(format!("{url} does not open: {error}"))),
        None => Ok(()),
    }
}

/// Waits until a page without a measuring script shows the stream.
pub(crate) fn wait_until_live(cdp: &mut Cdp, tab: &Tab) -> Result<(), BenchError> {
    let deadline = Instant::now() + PICTURE_LIMIT;
    while Instant::now() < deadline {
        if cdp.evaluate(tab, "window.heliostat?.state ?? ''")? == "live" {
            return Ok(());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Err(BenchError::Timeout {
        what: "a picture for a further viewer".to_owned(),
        after: PICTURE_LIMIT,
    })
}

#[cfg(test)]
mod tests;
