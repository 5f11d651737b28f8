//! Which injector carries input: it follows the source.

use crate::config::Config;
use crate::desk::{InputBoard, SessionDesk};
use crate::engine::HubSlot;
use capture::SourceSpec;
use input::{
    Desk, DeskParts, InputError, InputSpec, OpenInjector, OpenRequest, TargetArea, XDisplay,
};
use std::sync::Arc;

/// The backend of sources that are X displays.
const X_SOURCE: &str = "x11";

/// The X display that a source shows, if it shows one.
pub(crate) fn display_of(source: &SourceSpec) -> Option<XDisplay> {
    let SourceSpec::Backend { name, target } = source else {
        return None;
    };
    if *name != X_SOURCE {
        return None;
    }
    // `DISPLAY/MONITOR`, each of which may be absent.
    let target = target.as_deref().unwrap_or_default();
    let display = target
        .split_once('/')
        .map_or(target, |(display, _)| display);
    let name = (!display.is_empty()).then(|| display.to_owned());
    Some(XDisplay { name })
}

/// Chooses injectors.
#[derive(Clone, Debug)]
pub(crate) struct Injectors {
    spec: InputSpec,
    area: TargetArea,
}

impl Injectors {
    pub(crate) fn new(config: &Config, area: TargetArea) -> Self {
        let spec = config.input.clone();
        Self { spec, area }
    }

    /// How to open what suits a source.
    pub(crate) fn for_source(&self, source: &SourceSpec) -> OpenInjector {
        let (spec, area, x) = (self.spec.clone(), self.area.clone(), display_of(source));
        Box::new(move |feedback| {
            let request = OpenRequest {
                target: None,
                x,
                area,
                feedback,
            };
            input::open(&spec, &request)
        })
    }

    /// Starts the input thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        &self,
        source: &SourceSpec,
        hub: HubSlot,
    ) -> Result<(Desk, SessionDesk), InputError> {
        let board = Arc::new(InputBoard::default());
        let shown = Arc::clone(&board);
        let desk = Desk::start(DeskParts {
            open: self.for_source(source),
            on_feedback: Box::new(move |viewer, feedback| {
                if let Some(message) = input::wire::feedback(feedback) {
                    hub.feedback(viewer, message);
                }
            }),
            on_state: Box::new(move |state| shown.show(state)),
        })?;
        let session_desk = SessionDesk {
            desk: desk.clone(),
            board,
        };
        Ok((desk, session_desk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_display_of_a_source_is_what_stands_before_its_monitor() {
        for (spec, display) in [
            ("test-pattern", None),
            ("x11", Some(None)),
            ("x11::1", Some(Some(":1"))),
            ("x11::1/HDMI-1", Some(Some(":1"))),
            ("x11:/HDMI-1", Some(None)),
        ] {
            let found = display_of(&spec.parse().unwrap());
            let name = found.as_ref().map(|display| display.name.as_deref());
            assert_eq!(name, display, "{spec}");
        }
    }
}
