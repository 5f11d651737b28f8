//! The pointer: who draws it, its image as pages can show it, and where it is.

use capture::{CursorShape, CursorSwitch, CursorTap, CursorUpdate};
use control_api::CursorMode;
use events::ViewerId;
use sessions::{CursorImage, CursorState};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Images kept: programs go back and forth between a few.
const KEPT_IMAGES: usize = 16;

/// What is known of the pointer and of those who could draw it.
pub(crate) struct CursorDesk {
    switch: CursorSwitch,
    shown: watch::Sender<CursorState>,
    state: Mutex<State>,
}

struct State {
    setting: CursorMode,
    /// Each session, and whether it draws the pointer by itself.
    sessions: HashMap<ViewerId, bool>,
    images: VecDeque<Arc<CursorImage>>,
    /// The image that the source shows, whoever draws it.
    image: Option<Arc<CursorImage>>,
}

impl State {
    /// With `auto` the page draws it, unless somebody watches who cannot.
    fn in_picture(&self) -> bool {
        match self.setting {
            CursorMode::Picture => true,
            CursorMode::Local => false,
            CursorMode::Auto => self.sessions.values().any(|draws| !draws),
        }
    }
}

impl CursorDesk {
    pub(crate) fn new(setting: CursorMode) -> Self {
        let state = State {
            setting,
            sessions: HashMap::new(),
            images: VecDeque::new(),
            image: None,
        };
        Self {
            switch: CursorSwitch::new(state.in_picture()),
            shown: watch::channel(CursorState::default()).0,
            state: Mutex::new(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<CursorState> {
        self.shown.subscribe()
    }

    pub(crate) fn setting(&self) -> CursorMode {
        self.lock().setting
    }

    /// Says who shall draw it.
    pub(crate) fn set(&self, setting: CursorMode) {
        self.decide(|state| state.setting = setting);
    }

    /// A session begins that draws the pointer by itself, or cannot.
    pub(crate) fn joined(&self, viewer: ViewerId, draws: bool) {
        self.decide(|state| {
            state.sessions.insert(viewer, draws);
        });
    }

    /// A session is over.
    pub(crate) fn left(&self, viewer: ViewerId) {
        self.decide(|state| {
            state.sessions.remove(&viewer);
        });
    }

    fn decide(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let in_picture = state.in_picture();
        self.switch.set(in_picture);
        let image = state.image.clone().filter(|_| !in_picture);
        self.show(|shown| shown.image = image);
    }

    fn show(&self, change: impl FnOnce(&mut CursorState)) {
        self.shown.send_if_modified(|shown| {
            let before = shown.clone();
            change(shown);
            *shown != before
        });
    }

    /// How a source tells of its pointer.
    pub(crate) fn tap(self: &Arc<Self>) -> CursorTap {
        let desk = Arc::clone(self);
        CursorTap {
            switch: self.switch.clone(),
            sink: Arc::new(move |update| desk.heard(update)),
        }
    }

    /// News from the capture thread.
    fn heard(&self, update: CursorUpdate) {
        match update {
            CursorUpdate::Shape(shape) => {
                let mut state = self.lock();
                state.image = state.image_of(&shape);
                let image = state.image.clone().filter(|_| !state.in_picture());
                self.show(|shown| shown.image = image);
            }
            CursorUpdate::Place(place) => self.show(|shown| {
                shown.at = (place.x, place.y);
                shown.visible = place.visible;
            }),
        }
    }
}

impl State {
    fn image_of(&mut self, shape: &CursorShape) -> Option<Arc<CursorImage>> {
        let id = shape.id.into();
        if let Some(known) = self.images.iter().find(|known| known.id == id) {
            return Some(Arc::clone(known));
        }
        let image = Arc::new(CursorImage {
            id,
            png: png_of(shape)?,
            hot: (shape.hot[0], shape.hot[1]),
        });
        if self.images.len() == KEPT_IMAGES {
            self.images.pop_front();
        }
        self.images.push_back(Arc::clone(&image));
        Some(image)
    }
}

/// A pointer without an image has no PNG either.
fn png_of(shape: &CursorShape) -> Option<Vec<u8>> {
    if shape.size.width == 0 || shape.size.height == 0 {
        return None;
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, shape.size.width, shape.size.height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&shape.rgba));
    match written {
        Ok(()) => Some(bytes),
        Err(error) => {
            tracing::error!(%error, "a pointer's image cannot be written");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use capture::CursorPlace;
    use media::Size;

    fn shape(id: u32) -> CursorUpdate {
        CursorUpdate::Shape(Arc::new(CursorShape {
            id,
            size: Size::new(2, 1),
            hot: [1, 0],
            rgba: vec![255, 0, 0, 255, 0, 0, 255, 0],
        }))
    }

    fn image(desk: &CursorDesk) -> Option<u64> {
        desk.watch().borrow().image.as_ref().map(|image| image.id)
    }

    #[test]
    fn pages_draw_the_pointer_until_somebody_watches_who_cannot() {
        let desk = CursorDesk::new(CursorMode::Auto);
        desk.heard(shape(7));
        desk.joined(ViewerId(1), true);
        assert_eq!((desk.switch.in_picture(), image(&desk)), (false, Some(7)));
        desk.joined(ViewerId(2), false);
        assert_eq!((desk.switch.in_picture(), image(&desk)), (true, None));
        desk.left(ViewerId(2));
        assert_eq!((desk.switch.in_picture(), image(&desk)), (false, Some(7)));
    }

    #[test]
    fn a_setting_is_obeyed_whoever_watches() {
        let desk = CursorDesk::new(CursorMode::Picture);
        desk.heard(shape(7));
        desk.joined(ViewerId(1), true);
        assert_eq!((desk.switch.in_picture(), image(&desk)), (true, None));
        desk.set(CursorMode::Local);
        desk.joined(ViewerId(2), false);
        assert_eq!((desk.switch.in_picture(), image(&desk)), (false, Some(7)));
    }

    #[test]
    fn images_are_made_once_and_forgotten_in_time() {
        let desk = CursorDesk::new(CursorMode::Local);
        for id in 0..100 {
            desk.heard(shape(id % 3));
        }
        assert_eq!(desk.lock().images.len(), 3);
        for id in 0..100 {
            desk.heard(shape(id));
        }
        assert_eq!(desk.lock().images.len(), KEPT_IMAGES);
        let shown = desk.watch();
        let decoder = png::Decoder::new(std::io::Cursor::new(
            shown.borrow().image.as_ref().unwrap().png.clone(),
        ));
        assert_eq!(decoder.read_info().unwrap().info().size(), (2, 1));
    }

    #[test]
    fn only_changes_are_told() {
        let desk = CursorDesk::new(CursorMode::Local);
        let mut shown = desk.watch();
        let place = CursorPlace {
            x: 3,
            y: 4,
            visible: true,
        };
        desk.heard(CursorUpdate::Place(place));
        assert!(shown.has_changed().unwrap());
        shown.mark_unchanged();
        desk.heard(CursorUpdate::Place(place));
        desk.joined(ViewerId(1), true);
        assert!(!shown.has_changed().unwrap());
    }
}
