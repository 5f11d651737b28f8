//! A real X server of a test's own, and a client that draws on it.

use capture::{Source, SourceRequest, StopSignal, X11};
use media::{Bands, Frame, FrameRate, MonoTime, PictureId, Size};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use x11rb::connection::Connection;
use x11rb::protocol::randr::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, CreateGCAux, Gcontext, ImageFormat,
    PropMode, Rectangle, Window,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// Size of the screen of [`XServer::start`]; RandR can set any mode up to it.
pub(crate) const SCREEN: Size = Size::new(1920, 1200);

/// An Xvfb, killed on drop.
pub(crate) struct XServer {
    child: Child,
    /// Such as `:12`.
    pub(crate) display: String,
}

impl XServer {
    /// A server with a large screen on a free display number.
    pub(crate) fn start() -> Self {
        Self::with(&["-screen", "0", "1920x1200x24"])
    }

    /// A server with these options.
    pub(crate) fn with(options: &[&str]) -> Self {
        let mut child = Command::new("Xvfb")
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb must be installed");
        let mut number = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut number).unwrap();
        assert!(number.ends_with('\n'), "Xvfb ended before it was ready");
        let display = format!(":{}", number.trim());
        Self { child, display }
    }

    /// What the kernel calls it.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A request for its screen at 60 frames a second.
    pub(crate) fn request(&self) -> SourceRequest {
        request(&self.display, 60)
    }

    /// Its screen as a source.
    pub(crate) fn source(&self) -> X11 {
        X11::open(&self.request()).unwrap()
    }
}

impl Drop for XServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A request for a target.
pub(crate) fn request(target: &str, fps: u32) -> SourceRequest {
    SourceRequest {
        target: Some(target.to_owned()),
        size: None,
        rate: FrameRate::new(fps).unwrap(),
    }
}

/// The next frame of a source that has one.
pub(crate) fn next(source: &mut X11, stop: &StopSignal) -> Frame {
    source.next_frame(stop).unwrap().unwrap()
}

/// Red, green and blue of one pixel.
/// A copy of the picture that takes only what frames say has changed.
#[derive(Default)]
pub(crate) struct Mirror {
    bytes: Vec<u8>,
    shows: Option<PictureId>,
}

impl Mirror {
    /// Brings the copy up to a frame; the rows that were taken.
    pub(crate) fn follow(&mut self, frame: &Frame) -> Bands {
        let changed = self.shows.and_then(|id| frame.pixels.changed_since(id));
        let changed = changed.unwrap_or_else(|| Bands::whole(frame.size.height));
        self.bytes.resize(frame.bytes().len(), 0);
        for band in changed.iter() {
            let rows = frame.stride * band.top as usize..frame.stride * band.bottom as usize;
            self.bytes[rows.clone()].copy_from_slice(&frame.bytes()[rows]);
        }
        self.shows = frame.pixels.id();
        changed
    }

    pub(crate) fn is_like(&self, frame: &Frame) -> bool {
        self.bytes == frame.bytes()
    }
}

pub(crate) fn pixel(frame: &Frame, x: u32, y: u32) -> [u8; 3] {
    let at = y as usize * frame.stride + x as usize * 4;
    let bytes = &frame.bytes()[at..at + 3];
    [bytes[2], bytes[1], bytes[0]]
}

/// A rectangle on the screen.
pub(crate) fn rectangle(x: i16, y: i16, width: u16, height: u16) -> Rectangle {
    Rectangle {
        x,
        y,
        width,
        height,
    }
}

/// A client that draws on the root window and moves the mouse. Each of its calls returns when the
/// server has done it.
pub(crate) struct Painter {
    pub(crate) connection: RustConnection,
    pub(crate) root: Window,
    context: Gcontext,
}

impl Painter {
    pub(crate) fn new(server: &XServer) -> Self {
        let (connection, screen) = x11rb::connect(Some(&server.display)).unwrap();
        let root = connection.setup().roots[screen].root;
        let context = connection.generate_id().unwrap();
        connection
            .create_gc(context, root, &CreateGCAux::new())
            .unwrap();
        Self {
            connection,
            root,
            context,
        }
    }

    /// Waits until the server has done everything so far.
    pub(crate) fn sync(&self) {
        self.connection.sync().unwrap();
    }

    /// Paints a rectangle.
    pub(crate) fn fill(&self, rectangle: Rectangle, [red, green, blue]: [u8; 3]) {
        let colour = u32::from_be_bytes([0, red, green, blue]);
        let aux = x11rb::protocol::xproto::ChangeGCAux::new().foreground(colour);
        self.connection.change_gc(self.context, &aux).unwrap();
        let filled = self
            .connection
            .poly_fill_rectangle(self.root, self.context, &[rectangle]);
        filled.unwrap();
        self.sync();
    }

    /// Many requests that change nothing to be seen, for longer than any source in these tests
    /// may hold a frame back.
    pub(crate) fn do_nothing_visible(&self) {
        let start = MonoTime::now();
        let mut round = 0_u8;
        while MonoTime::now().since(start) < Duration::from_millis(50) {
            round = round.wrapping_add(1);
            let (name, kind) = (AtomEnum::WM_NAME, AtomEnum::STRING);
            let mode = PropMode::REPLACE;
            let changed = self
                .connection
                .change_property8(mode, self.root, name, kind, &[round]);
            changed.unwrap().check().unwrap();
        }
    }

    /// The bytes of the whole screen, as any client gets them.
    pub(crate) fn screen(&self) -> Vec<u8> {
        let (width, height) = (SCREEN.width as u16, SCREEN.height as u16);
        let format = ImageFormat::Z_PIXMAP;
        let image = self
            .connection
            .get_image(format, self.root, 0, 0, width, height, u32::MAX);
        image.unwrap().reply().unwrap().data
    }

    /// Makes the cursor one of a single pixel that lets everything through.
    pub(crate) fn hide_cursor(&self) {
        let [bitmap, cursor] = [(); 2].map(|()| self.connection.generate_id().unwrap());
        self.connection
            .create_pixmap(1, bitmap, self.root, 1, 1)
            .unwrap();
        let context = self.connection.generate_id().unwrap();
        let clear = CreateGCAux::new().foreground(0);
        self.connection.create_gc(context, bitmap, &clear).unwrap();
        let pixel = [rectangle(0, 0, 1, 1)];
        self.connection
            .poly_fill_rectangle(bitmap, context, &pixel)
            .unwrap();
        let made = self
            .connection
            .create_cursor(cursor, bitmap, bitmap, 0, 0, 0, 0, 0, 0, 0, 0);
        made.unwrap().check().unwrap();
        let aux = ChangeWindowAttributesAux::new().cursor(cursor);
        self.connection
            .change_window_attributes(self.root, &aux)
            .unwrap();
        self.sync();
    }

    /// Moves the mouse as a device would.
    pub(crate) fn move_mouse(&self, x: i16, y: i16) {
        let motion = x11rb::protocol::xproto::MOTION_NOTIFY_EVENT;
        let moved = self
            .connection
            .xtest_fake_input(motion, 0, 0, self.root, x, y, 0);
        moved.unwrap().check().unwrap();
    }

    /// Gives the screen another size, as `xrandr` does.
    pub(crate) fn set_mode(&self, size: Size) {
        let (width, height) = (size.width as u16, size.height as u16);
        let resources = self
            .connection
            .randr_get_screen_resources(self.root)
            .unwrap()
            .reply()
            .unwrap();
        let (crtc, output) = (resources.crtcs[0], resources.outputs[0]);
        // The server has modes of its own, which are named after their size alone.
        let name = format!("test {size} {}", self.connection.generate_id().unwrap());
        let mode = randr::ModeInfo {
            width,
            height,
            dot_clock: 60 * size.pixels() as u32,
            htotal: width,
            vtotal: height,
            name_len: name.len() as u16,
            ..randr::ModeInfo::default()
        };
        let mode = self
            .connection
            .randr_create_mode(self.root, mode, name.as_bytes());
        let mode = mode.unwrap().reply().unwrap().mode;
        self.connection
            .randr_add_output_mode(output, mode)
            .unwrap()
            .check()
            .unwrap();
        let set = |mode: u32, outputs: &[u32]| {
            let set = self.connection.randr_set_crtc_config(
                crtc,
                x11rb::CURRENT_TIME,
                x11rb::CURRENT_TIME,
                0,
                0,
                mode,
                randr::Rotation::ROTATE0,
                outputs,
            );
            assert_eq!(
                set.unwrap().reply().unwrap().status,
                randr::SetConfig::SUCCESS
            );
        };
        set(0, &[]);
        let resized = self
            .connection
            .randr_set_screen_size(self.root, width, height, 300, 200);
        resized.unwrap().check().unwrap();
        set(mode, &[output]);
        self.sync();
    }

    /// Makes a part of the screen a monitor.
    pub(crate) fn set_monitor(&self, name: &str, place: Rectangle) {
        let name = self
            .connection
            .intern_atom(false, name.as_bytes())
            .unwrap()
            .reply()
            .unwrap()
            .atom;
        let monitor = randr::MonitorInfo {
            name,
            x: place.x,
            y: place.y,
            width: place.width,
            height: place.height,
            width_in_millimeters: 300,
            height_in_millimeters: 200,
            ..randr::MonitorInfo::default()
        };
        let set = self.connection.randr_set_monitor(self.root, monitor);
        set.unwrap().check().unwrap();
    }

    /// Takes a monitor away.
    pub(crate) fn delete_monitor(&self, name: &str) {
        let name = self
            .connection
            .intern_atom(false, name.as_bytes())
            .unwrap()
            .reply()
            .unwrap()
            .atom;
        let deleted = self.connection.randr_delete_monitor(self.root, name);
        deleted.unwrap().check().unwrap();
    }
}

/// A cookie file that lets in whoever has it, and nobody else.
pub(crate) fn cookie_file(directory: &std::path::Path) -> std::path::PathBuf {
    use std::io::Write;
    let path = directory.join("cookies");
    let mut file = File::create(&path).unwrap();
    let mut entry = vec![0xff, 0xff, 0, 0, 0, 0];
    for field in [&b"MIT-MAGIC-COOKIE-1"[..], &[7; 16]] {
        entry.extend((field.len() as u16).to_be_bytes());
        entry.extend(field);
    }
    file.write_all(&entry).unwrap();
    path
}
