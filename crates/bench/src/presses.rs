//! Presses keys and the mouse button in the page, as a user's devices would, one at a time and at
//! random moments. Owns what a press is; refuses to hand input to the host by any way but the page.

use crate::BenchError;
use crate::cdp::Cdp;
use crate::page::{LOOK_AGAIN, MeasuredPage, PICTURE_LIMIT};
use crate::viewer::{LONGEST_HOLD, MISSED_AFTER, Rhythm};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::time::{Duration, Instant};

/// What is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PressKind {
    /// A key of the keyboard.
    Key,
    /// The left button of the mouse.
    Click,
}

impl PressKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Key, Self::Click];
}

impl fmt::Display for PressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Click => "click",
        })
    }
}

/// What a frame says of the presses: readableMs, rtp, heardUs, count.
pub(crate) type ShownPresses = (f64, Option<u32>, f64, u32);

/// A press as the page tells of it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reaction {
    pressed_ms: Option<f64>,
    shown: Option<ShownPresses>,
}

/// A press and the frame that counted it, on the page's clock. Without that frame it was missed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawPress {
    pub(crate) kind: PressKind,
    pub(crate) pressed_ms: f64,
    pub(crate) shown: Option<ShownPresses>,
}

/// A hand on the keyboard and the mouse.
pub(crate) struct Presser {
    page: MeasuredPage,
    rhythm: Rhythm,
    /// Where the mouse clicks, in the page's pixels.
    at: [f64; 2],
}

impl Presser {
    /// Gets ready for presses in `page`, in the middle of its picture.
    pub(crate) fn new(cdp: &mut Cdp, page: &MeasuredPage) -> Result<Self, BenchError> {
        // A tab in the background would hear no keys.
        let focus = json!({"enabled": true});
        cdp.call_tab(&page.tab, "Emulation.setFocusEmulationEnabled", &focus)?;
        let middle = "(() => { const r = window.heliostat.video.getBoundingClientRect();
            return [r.x + r.width / 2, r.y + r.height / 2]; })()";
        let at = cdp.evaluate(&page.tab, middle)?;
        let at = serde_json::from_value(at)
            .map_err(|error| BenchError::Page(format!("has no place for its picture: {error}")))?;
        Ok(Self {
            page: page.clone(),
            rhythm: Rhythm::new(),
            at,
        })
    }

    /// Begins to look for presses, and waits for a window that was opened at `since_ms` or later.
    pub(crate) fn watch(&self, cdp: &mut Cdp, since_ms: f64) -> Result<(), BenchError> {
        self.evaluate(cdp, "watch(true)")?;
        let deadline = Instant::now() + PICTURE_LIMIT;
        while Instant::now() < deadline {
            let shown: Option<ShownPresses> = said(self.evaluate(cdp, "shown()")?)?;
            if shown.is_some_and(|(_, _, heard_us, _)| heard_us >= since_ms * 1000.0) {
                return Ok(());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Err(BenchError::Timeout {
            what: "a picture of the window that hears keys".to_owned(),
            after: PICTURE_LIMIT,
        })
    }

    /// Ends to look for presses.
    pub(crate) fn rest(&self, cdp: &mut Cdp) -> Result<(), BenchError> {
        self.evaluate(cdp, "watch(false)").map(|_| ())
    }

    /// Pauses for a random time, presses a key or the mouse button in turns, and waits for the
    /// reaction.
    pub(crate) fn press(&mut self, cdp: &mut Cdp) -> Result<RawPress, BenchError> {
        let kind = self.rhythm.next();
        self.evaluate(cdp, "arm()")?;
        self.dispatch(cdp, kind, true)?;
        let mut reaction = self.reaction(cdp, LONGEST_HOLD)?;
        self.dispatch(cdp, kind, false)?;
        if reaction.shown.is_none() {
            reaction = self.reaction(cdp, MISSED_AFTER - LONGEST_HOLD)?;
        }
        let unheard = || BenchError::Page(format!("hears no {kind}"));
        Ok(RawPress {
            kind,
            pressed_ms: reaction.pressed_ms.ok_or_else(unheard)?,
            shown: reaction.shown,
        })
    }

    fn dispatch(&self, cdp: &mut Cdp, kind: PressKind, down: bool) -> Result<(), BenchError> {
        let (method, event) = match kind {
            PressKind::Key => {
                let mut event = json!({"code": "KeyA", "key": "a", "windowsVirtualKeyCode": 65});
                event["type"] = if down { "keyDown" } else { "keyUp" }.into();
                if down {
                    event["text"] = "a".into();
                }
                ("Input.dispatchKeyEvent", event)
            }
            PressKind::Click => {
                let [x, y] = self.at;
                let event = json!({
                    "type": if down { "mousePressed" } else { "mouseReleased" },
                    "x": x,
                    "y": y,
                    "button": "left",
                    "buttons": u8::from(down),
                    "clickCount": 1,
                });
                ("Input.dispatchMouseEvent", event)
            }
        };
        cdp.call_tab(&self.page.tab, method, &event).map(|_| ())
    }

    fn reaction(&self, cdp: &mut Cdp, limit: Duration) -> Result<Reaction, BenchError> {
        said(self.evaluate(cdp, &format!("reaction({})", limit.as_millis()))?)
    }

    fn evaluate(&self, cdp: &mut Cdp, call: &str) -> Result<Value, BenchError> {
        cdp.evaluate(&self.page.tab, &format!("heliostatBench.presses.{call}"))
    }
}

fn said<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, BenchError> {
    serde_json::from_value(value)
        .map_err(|error| BenchError::Page(format!("tells of presses in another shape: {error}")))
}
