//! The one stream of this host: its pipeline, what was chosen for it, and changing that while
//! sessions watch. Every change is checked first; one that fails leaves everything as it was.

use crate::board::StateBoard;
use crate::config::Config;
use crate::cursor::CursorDesk;
use crate::input::display_of;
use capture::{AreaSink, SourceOptions, SourceSpec, Taps};
use control_api::{Choice, StreamChange, StreamParameters};
use encode::EncoderChoice;
use events::EventSink;
use input::{ScreenArea, TargetArea, XDisplay};
use media::{Bitrate, Codec, FrameRate, QualityProfile, Size, StreamParams};
use pipeline::{
    CommandRefused, OpenEncoder, OpenSource, OpenedEncoder, Pipeline, PipelineParts, SwitchError,
};
use sessions::EngineError;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Pictures that invalidation reaches back to.
const REFERENCE_PICTURES: usize = 10;
/// A source or an encoder that takes longer than this to open has failed.
const SWITCH_LIMIT: Duration = Duration::from_secs(10);
/// The source whose pictures are as large as they are asked to be.
const SIZED_SOURCE: &str = "test-pattern";

/// What is streamed, and by what.
#[derive(Clone, Debug)]
struct Chosen {
    source: SourceSpec,
    encoder: EncoderChoice,
}

/// Told of each source that is streamed from now on; must not block.
pub(crate) type OnSource = Box<dyn Fn(&SourceSpec) + Send + Sync>;

/// What the stream is made from.
pub(crate) struct StreamParts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) source: SourceSpec,
    pub(crate) events: EventSink,
    pub(crate) board: Arc<StateBoard>,
    pub(crate) cursor: Arc<CursorDesk>,
    pub(crate) area: TargetArea,
}

/// A pipeline beside the main one, for those who asked for other parameters.
pub(crate) struct Side {
    params: StreamParams,
    pub(crate) pipeline: Arc<Pipeline>,
    /// Which part of the screen its picture shows.
    pub(crate) area: TargetArea,
    rate: Arc<Mutex<FrameRate>>,
    taps: Taps,
}

/// What somebody watches who asked for parameters of his own.
#[derive(Clone)]
pub(crate) enum Watched {
    /// The main pipeline: its parameters are the same.
    Main(Arc<Pipeline>),
    /// One beside it, which goes when nobody holds it.
    Side(Arc<Side>),
}

/// The stream.
pub(crate) struct Stream {
    pipeline: Arc<Pipeline>,
    /// Pipelines with other parameters, while somebody holds them.
    sides: Mutex<Vec<Weak<Side>>>,
    next_number: AtomicU32,
    events: EventSink,
    encoder_threads: usize,
    board: Arc<StateBoard>,
    cursor: Arc<CursorDesk>,
    area: TargetArea,
    taps: Taps,
    /// The rate that sources are opened for, on other threads.
    rate: Arc<Mutex<FrameRate>>,
    /// Held while something is changed, so that changes are made one after the other.
    chosen: Mutex<Chosen>,
    on_source: OnSource,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("chosen", &self.chosen)
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// Starts the pipeline, which sleeps until somebody watches.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(parts: StreamParts<'_>, on_source: OnSource) -> std::io::Result<Self> {
        let StreamParts {
            config,
            source,
            events,
            board,
            cursor,
            area,
        } = parts;
        let params = StreamParams {
            size: config.size,
            rate: config.fps,
            bitrate: config.bitrate,
            codec: Codec::H264,
            profile: config.profile,
            slices: 1,
        };
        let rate = Arc::new(Mutex::new(config.fps));
        let taps = taps(&cursor, &area);
        area.set_picture(params.size);
        let reports = Arc::clone(&board);
        let pipeline = Pipeline::start(PipelineParts {
            number: 1,
            params,
            encoder_threads: config.encoder_threads,
            reference_pictures: REFERENCE_PICTURES,
            keep_alive: Some(pipeline::KEEP_ALIVE),
            open_source: opens_source(&source, params.size, &rate, &taps),
            open_encoder: opens_encoder(config.encoder),
            events: events.clone(),
            on_status: Box::new(move |status| reports.show(status)),
        })?;
        let encoder = config.encoder;
        Ok(Self {
            pipeline: Arc::new(pipeline),
            sides: Mutex::default(),
            next_number: AtomicU32::new(2),
            events,
            encoder_threads: config.encoder_threads,
            board,
            cursor,
            area,
            taps,
            rate,
            chosen: Mutex::new(Chosen { source, encoder }),
            on_source,
        })
    }

    pub(crate) fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// What is watched with exactly these parameters: the main pipeline where they are the same, else
    /// one beside it, which all share who ask for the same. The size must be given.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn with_params(&self, wanted: &StreamParams) -> std::io::Result<Watched> {
        let main = self.pipeline.params();
        let main = StreamParams {
            size: main.size.or(self.pipeline.status().size),
            ..main
        };
        if main == *wanted {
            return Ok(Watched::Main(Arc::clone(&self.pipeline)));
        }
        let chosen = self.chosen().clone();
        let mut sides = self.sides.lock().unwrap_or_else(PoisonError::into_inner);
        sides.retain(|side| side.strong_count() > 0);
        let known = sides.iter().filter_map(Weak::upgrade);
        if let Some(side) = known.into_iter().find(|side| side.params == *wanted) {
            return Ok(Watched::Side(side));
        }
        let side = Arc::new(self.side(&chosen, wanted)?);
        sides.push(Arc::downgrade(&side));
        Ok(Watched::Side(side))
    }

    fn side(&self, chosen: &Chosen, params: &StreamParams) -> std::io::Result<Side> {
        // The encoder that was chosen is one of H.264.
        let encoder = match params.codec {
            Codec::H264 => chosen.encoder,
            Codec::Hevc | Codec::Av1 => EncoderChoice::Auto,
        };
        let (area, rate) = (TargetArea::default(), Arc::new(Mutex::new(params.rate)));
        area.set_picture(params.size);
        // Whoever watches this cannot draw the pointer: without a tap it is part of the picture.
        let taps = Taps {
            cursor: None,
            area: area_tap([&area, &self.area]),
        };
        let pipeline = Pipeline::start(PipelineParts {
            number: self.next_number.fetch_add(1, Ordering::Relaxed),
            params: *params,
            encoder_threads: self.encoder_threads,
            reference_pictures: REFERENCE_PICTURES,
            keep_alive: Some(pipeline::KEEP_ALIVE),
            open_source: opens_source(&chosen.source, params.size, &rate, &taps),
            open_encoder: opens_encoder(encoder),
            events: self.events.clone(),
            on_status: Box::new(|_| {}),
        })?;
        Ok(Side {
            params: *params,
            pipeline: Arc::new(pipeline),
            area,
            rate,
            taps,
        })
    }

    /// The X display that is streamed, if it is one.
    pub(crate) fn display(&self) -> Option<XDisplay> {
        display_of(&self.chosen().source)
    }

    /// The part of the screen that the main picture shows.
    pub(crate) const fn area(&self) -> &TargetArea {
        &self.area
    }

    fn chosen(&self) -> MutexGuard<'_, Chosen> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present parameters.
    pub(crate) fn parameters(&self) -> StreamParameters {
        let params = self.pipeline.params();
        StreamParameters {
            bitrate_bps: params.bitrate.bps(),
            fps: params.rate.fps(),
            size: params
                .size
                .map_or_else(|| "source".to_owned(), |size| size.to_string()),
            codec: "h264".to_owned(),
            quality: match params.profile {
                QualityProfile::Latency => "latency",
                QualityProfile::Quality => "quality",
            }
            .to_owned(),
            cursor: self.cursor.setting(),
        }
    }

    /// Changes some of them.
    pub(crate) fn change(&self, change: &StreamChange) -> Result<StreamParameters, EngineError> {
        let chosen = self.chosen();
        let before = self.pipeline.params();
        let params = changed(before, change)?;
        if params != before {
            *self.rate.lock().unwrap_or_else(PoisonError::into_inner) = params.rate;
            self.pipeline.set_params(params).map_err(refused)?;
            self.board.chose_fps(params.rate.fps());
            self.area.set_picture(params.size);
        }
        if let Some(cursor) = change.cursor {
            self.cursor.set(cursor);
        }
        // A source paces itself by the rate that it was opened for. Nobody waits for it to open
        // again: until it has, and if it does not, the present one goes on.
        if params.rate > before.rate {
            let open = opens_source(&chosen.source, params.size, &self.rate, &self.taps);
            let told = Box::new(|outcome: Result<(), SwitchError>| {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "the source keeps its rate");
                }
            });
            self.pipeline.switch_source(open, told).map_err(refused)?;
        }
        Ok(self.parameters())
    }

    /// What can be streamed.
    pub(crate) fn sources(&self) -> Vec<Choice> {
        let present = self.chosen().source.to_string();
        let listed = capture::list().into_iter();
        let mut choices: Vec<_> = listed
            .map(|source| Choice {
                selected: source.spec == present,
                name: source.spec,
                detail: source.detail,
                available: source.available,
            })
            .collect();
        if !choices.iter().any(|choice| choice.selected) {
            let detail = self.board.host().borrow().source.clone();
            choices.push(Choice {
                name: present,
                detail: detail.map_or_else(String::new, |source| source.detail),
                available: true,
                selected: true,
            });
        }
        choices
    }

    /// Streams another source. May wait for it to open.
    pub(crate) fn select_source(&self, name: &str) -> Result<(), EngineError> {
        let wrong = |message: String| EngineError::Parameter {
            field: "source",
            message,
        };
        let spec: SourceSpec = name
            .parse()
            .map_err(|error: capture::SourceError| wrong(error.to_string()))?;
        let mut chosen = self.chosen();
        let size = self.pipeline.params().size;
        // Settles `auto` too, so that a source that goes away comes back as the same.
        let options = SourceOptions {
            size: size_for(&spec, size),
            rate: self.pipeline.params().rate,
        };
        let opened = capture::open(&spec, options);
        let opened = opened.map_err(|error| EngineError::Failed(error.to_string()))?;
        let (spec, reason) = (opened.spec, opened.reason);
        drop(opened.source);
        self.switch_to(&spec, size)?;
        self.board.chose_source(&spec, &reason);
        (self.on_source)(&spec);
        self.switch_sides(&spec);
        chosen.source = spec;
        Ok(())
    }

    /// The others follow the main pipeline, which has shown that the source opens.
    fn switch_sides(&self, spec: &SourceSpec) {
        let sides = self.sides.lock().unwrap_or_else(PoisonError::into_inner);
        for side in sides.iter().filter_map(Weak::upgrade) {
            let open = opens_source(spec, side.params.size, &side.rate, &side.taps);
            let told = Box::new(|outcome: Result<(), SwitchError>| {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "a stream keeps its source");
                }
            });
            if let Err(error) = side.pipeline.switch_source(open, told) {
                tracing::warn!(%error, "a stream keeps its source");
            }
        }
    }

    fn switch_to(&self, spec: &SourceSpec, size: Option<Size>) -> Result<(), EngineError> {
        let open = opens_source(spec, size, &self.rate, &self.taps);
        wait_for(|done| self.pipeline.switch_source(open, done))
    }

    /// What can encode.
    pub(crate) fn encoders(&self) -> Vec<Choice> {
        let present = self.chosen().encoder.to_string();
        let choice = |name: &str, detail: String, available| Choice {
            name: name.to_owned(),
            detail,
            available,
            selected: name == present,
        };
        let auto = choice("auto", "the first that works".to_owned(), true);
        let listed = encode::list().into_iter();
        std::iter::once(auto)
            .chain(listed.map(|listed| choice(listed.name, listed.detail, listed.available)))
            .collect()
    }

    /// Encodes with another encoder. May wait for it to open.
    pub(crate) fn select_encoder(&self, name: &str) -> Result<(), EngineError> {
        let wrong = |error: &encode::EncodeError| EngineError::Parameter {
            field: "encoder",
            message: error.to_string(),
        };
        let choice: EncoderChoice = name.parse().map_err(|error| wrong(&error))?;
        encode::probe(&choice).map_err(|error| EngineError::Failed(error.to_string()))?;
        let mut chosen = self.chosen();
        let open = opens_encoder(choice);
        wait_for(|done| self.pipeline.switch_encoder(open, done))?;
        chosen.encoder = choice;
        Ok(())
    }
}

/// The size that a source is opened with: those of a size of their own are scaled instead.
pub(crate) fn size_for(spec: &SourceSpec, size: Option<Size>) -> Option<Size> {
    match spec {
        SourceSpec::Backend { name, .. } if *name == SIZED_SOURCE => size,
        SourceSpec::Auto | SourceSpec::Backend { .. } => None,
    }
}

/// What sources tell besides pictures: the pointer, and where on the screen they look.
fn taps(cursor: &Arc<CursorDesk>, area: &TargetArea) -> Taps {
    Taps {
        cursor: Some(cursor.tap()),
        area: area_tap([area]),
    }
}

/// Tells all of them which part is captured: every pipeline captures the same.
fn area_tap<const N: usize>(areas: [&TargetArea; N]) -> Option<AreaSink> {
    let areas = areas.map(TargetArea::clone);
    Some(Arc::new(move |captured| {
        for area in &areas {
            area.set(Some(ScreenArea {
                x: captured.x,
                y: captured.y,
                size: captured.size,
            }));
        }
    }))
}

fn opens_source(
    spec: &SourceSpec,
    size: Option<Size>,
    rate: &Arc<Mutex<FrameRate>>,
    taps: &Taps,
) -> OpenSource {
    let (spec, rate, taps) = (spec.clone(), Arc::clone(rate), taps.clone());
    Arc::new(move || {
        let rate = *rate.lock().unwrap_or_else(PoisonError::into_inner);
        let size = size_for(&spec, size);
        let options = SourceOptions { size, rate };
        capture::open_with(&spec, options, &taps).map(|opened| opened.source)
    })
}

fn opens_encoder(choice: EncoderChoice) -> OpenEncoder {
    Arc::new(move |config| {
        let (encoder, chosen) = encode::open(&choice, config)?;
        Ok(OpenedEncoder {
            encoder,
            reason: chosen.reason,
        })
    })
}

/// Waits until a switch is done.
fn wait_for(
    ask: impl FnOnce(pipeline::OnSwitch) -> Result<(), CommandRefused>,
) -> Result<(), EngineError> {
    let (done, outcome) = channel();
    ask(Box::new(move |result: Result<(), SwitchError>| {
        // Whoever waited may have given up.
        let _ = done.send(result);
    }))
    .map_err(refused)?;
    match outcome.recv_timeout(SWITCH_LIMIT) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(EngineError::Failed(error.to_string())),
        Err(_) => Err(EngineError::Failed(
            "it did not open in time; if it does later, it is taken then".to_owned(),
        )),
    }
}

fn refused(error: CommandRefused) -> EngineError {
    EngineError::Failed(error.to_string())
}

fn changed(before: StreamParams, change: &StreamChange) -> Result<StreamParams, EngineError> {
    let wrong = |field: &'static str, message: String| EngineError::Parameter { field, message };
    let mut params = before;
    if let Some(bps) = change.bitrate_bps {
        params.bitrate =
            Bitrate::new(bps.into()).map_err(|error| wrong("bitrateBps", error.to_string()))?;
    }
    if let Some(fps) = change.fps {
        params.rate = FrameRate::new(fps).map_err(|error| wrong("fps", error.to_string()))?;
    }
    match change.size.as_deref() {
        None => {}
        Some("source") => params.size = None,
        Some(size) => {
            let size = size.parse::<Size>();
            params.size = Some(size.map_err(|error| wrong("size", error.to_string()))?);
        }
    }
    match change.quality.as_deref() {
        None => {}
        Some("latency") => params.profile = QualityProfile::Latency,
        Some("quality") => params.profile = QualityProfile::Quality,
        Some(other) => {
            let message = format!("{other:?} is neither latency nor quality");
            return Err(wrong("quality", message));
        }
    }
    match change.codec.as_deref() {
        None | Some("h264") => {}
        Some(other) => {
            let message = format!("{other:?} is not h264, the one codec of this host");
            return Err(wrong("codec", message));
        }
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before() -> StreamParams {
        StreamParams {
            size: None,
            rate: FrameRate::new(60).unwrap(),
            bitrate: Bitrate::new(8_000_000).unwrap(),
            codec: Codec::H264,
            profile: QualityProfile::Latency,
            slices: 1,
        }
    }

    #[test]
    fn what_is_absent_stays() {
        let change = StreamChange {
            fps: Some(30),
            size: Some("640x360".to_owned()),
            ..StreamChange::default()
        };
        let after = changed(before(), &change).unwrap();
        assert_eq!(after.rate.fps(), 30);
        assert_eq!(after.size, Some(Size::new(640, 360)));
        assert_eq!(after.bitrate, before().bitrate);
        let back = StreamChange {
            size: Some("source".to_owned()),
            ..StreamChange::default()
        };
        assert_eq!(changed(after, &back).unwrap().size, None);
    }

    #[test]
    fn bad_values_name_the_field_and_the_range() {
        let none = StreamChange::default;
        let text = |text: &str| Some(text.to_owned());
        #[rustfmt::skip]
        let cases = [
            (StreamChange { fps: Some(0), ..none() }, "fps", "1 to 240"),
            (StreamChange { bitrate_bps: Some(1), ..none() }, "bitrateBps", "500k to 1000M"),
            (StreamChange { size: text("641x360"), ..none() }, "size", "even"),
            (StreamChange { quality: text("best"), ..none() }, "quality", "latency"),
            (StreamChange { codec: text("av1"), ..none() }, "codec", "h264"),
        ];
        for (change, name, part) in cases {
            let error = changed(before(), &change).unwrap_err();
            assert!(
                matches!(&error, EngineError::Parameter { field, message } if *field == name && message.contains(part)),
                "{error}"
            );
        }
    }
}
