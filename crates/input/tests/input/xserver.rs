//! A real X server of a test's own, and what input reaches there: a window of ours that notes it, and a
//! terminal that is typed into.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AutoRepeatMode, ChangeKeyboardControlAux, ConnectionExt as _, CreateWindowAux, EventMask,
    InputFocus, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// Only a guard: what is awaited comes soon.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// An Xvfb, killed on drop.
pub(crate) struct XServer {
    child: Child,
    /// Such as `:12`.
    pub(crate) display: String,
}

impl XServer {
    /// A server on a free display number.
    pub(crate) fn start() -> Self {
        Self::with(&["-displayfd", "1"])
    }

    /// A server on the display of one that has ended.
    pub(crate) fn again(display: &str) -> Self {
        Self::with(&[display, "-displayfd", "1"])
    }

    fn with(options: &[&str]) -> Self {
        let mut child = Command::new("Xvfb")
            .args(options)
            .args([
                "-noreset",
                "-nolisten",
                "tcp",
                "-screen",
                "0",
                "1280x800x24",
            ])
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

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The window that a selection belongs to; 0 for none.
    pub(crate) fn selection_owner(&self, selection: &str) -> Window {
        let (connection, _) = x11rb::connect(Some(&self.display)).unwrap();
        let asked = connection.intern_atom(false, selection.as_bytes());
        let selection = asked.unwrap().reply().unwrap().atom;
        let asked = connection.get_selection_owner(selection);
        asked.unwrap().reply().unwrap().owner
    }

    /// Runs a program there to its end.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program)
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output();
        let output = output.unwrap_or_else(|error| panic!("{program} must be installed: {error}"));
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {output:?}"
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for XServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A program that is killed on drop.
pub(crate) struct Program(pub(crate) Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until there is an answer.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < LONG, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What came to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Key(u8, bool),
    Button(u8, bool),
    Motion(i16, i16),
}

/// A window over the whole screen that has the keyboard.
pub(crate) struct Watcher {
    connection: RustConnection,
    root: Window,
}

impl Watcher {
    pub(crate) fn new(server: &XServer) -> Self {
        let (connection, screen) = x11rb::connect(Some(&server.display)).unwrap();
        let root = connection.setup().roots[screen].root;
        let window = connection.generate_id().unwrap();
        let mask = EventMask::KEY_PRESS
            | EventMask::KEY_RELEASE
            | EventMask::BUTTON_PRESS
            | EventMask::BUTTON_RELEASE
            | EventMask::POINTER_MOTION;
        let aux = CreateWindowAux::new().override_redirect(1).event_mask(mask);
        let kind = WindowClass::INPUT_OUTPUT;
        connection
            .create_window(0, window, root, 0, 0, 1280, 800, 0, kind, 0, &aux)
            .unwrap();
        connection.map_window(window).unwrap();
        connection
            .set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME)
            .unwrap()
            .check()
            .unwrap();
        // What repeats itself while a test is slow is none of its business.
        let aux = ChangeKeyboardControlAux::new().auto_repeat_mode(AutoRepeatMode::OFF);
        connection.change_keyboard_control(&aux).unwrap();
        connection.sync().unwrap();
        Self { connection, root }
    }

    /// Only looks at the server; nothing comes to it.
    pub(crate) fn looking_on(server: &XServer) -> Self {
        let (connection, screen) = x11rb::connect(Some(&server.display)).unwrap();
        let root = connection.setup().roots[screen].root;
        Self { connection, root }
    }

    /// The next thing that comes.
    pub(crate) fn next(&self) -> Came {
        eventually("input", || self.poll())
    }

    /// The next things that come, motion left out.
    pub(crate) fn presses(&self, count: usize) -> Vec<Came> {
        let came = std::iter::repeat_with(|| self.next());
        let presses = came.filter(|came| !matches!(came, Came::Motion(..)));
        presses.take(count).collect()
    }

    fn poll(&self) -> Option<Came> {
        loop {
            return match self.connection.poll_for_event().unwrap()? {
                Event::KeyPress(event) => Some(Came::Key(event.detail, true)),
                Event::KeyRelease(event) => Some(Came::Key(event.detail, false)),
                Event::ButtonPress(event) => Some(Came::Button(event.detail, true)),
                Event::ButtonRelease(event) => Some(Came::Button(event.detail, false)),
                Event::MotionNotify(event) => Some(Came::Motion(event.root_x, event.root_y)),
                _ => continue,
            };
        }
    }

    /// Whether nothing more has come, once the server has done all it was asked.
    pub(crate) fn is_quiet(&self) -> bool {
        self.take_all().is_empty()
    }

    /// All that has come, once the server has done all it was asked.
    pub(crate) fn take_all(&self) -> Vec<Came> {
        self.connection.sync().unwrap();
        std::iter::from_fn(|| self.poll()).collect()
    }

    /// Keycodes that are down for the server.
    pub(crate) fn down(&self) -> Vec<u8> {
        let keys = self
            .connection
            .query_keymap()
            .unwrap()
            .reply()
            .unwrap()
            .keys;
        let down = |keycode: &u8| keys[usize::from(keycode / 8)] >> (keycode % 8) & 1 == 1;
        (8..=255).filter(down).collect()
    }

    /// Where the pointer is.
    pub(crate) fn pointer(&self) -> [i16; 2] {
        let pointer = self.connection.query_pointer(self.root).unwrap();
        let pointer = pointer.reply().unwrap();
        [pointer.root_x, pointer.root_y]
    }

    /// What every keycode means.
    pub(crate) fn keymap(&self) -> Vec<u32> {
        let mapping = self.connection.get_keyboard_mapping(8, 248).unwrap();
        let mapping = mapping.reply().unwrap();
        let per = usize::from(mapping.keysyms_per_keycode);
        // Rows grow with the longest; what is beyond the first two columns is not ours.
        let rows = mapping.keysyms.chunks(per);
        rows.flat_map(|row| [row[0], row.get(1).copied().unwrap_or(0)])
            .collect()
    }
}

/// An xterm whose every byte of input goes to a file, line by line.
pub(crate) struct Terminal {
    directory: tempfile::TempDir,
    _xterm: Program,
}

impl Terminal {
    pub(crate) fn start(server: &XServer) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (ready, typed) = (
            directory.path().join("ready"),
            directory.path().join("typed"),
        );
        let script = format!(
            "touch {} && exec cat > {}",
            ready.display(),
            typed.display()
        );
        let xterm = Command::new("xterm")
            .args(["-u8", "-geometry", "100x20+0+0", "-e", "sh", "-c", &script])
            .env("DISPLAY", &server.display)
            .env("LC_ALL", "C.UTF-8")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("xterm must be installed");
        let terminal = Self {
            directory,
            _xterm: Program(xterm),
        };
        eventually("xterm", || ready.exists().then_some(()));
        // Without a window manager the window under the pointer has the keyboard.
        server.run("xdotool", &["mousemove", "100", "100"]);
        terminal
    }

    /// The lines typed so far, when there are so many.
    pub(crate) fn lines(&self, count: usize) -> Vec<String> {
        eventually("the text", || {
            let text = fs::read_to_string(self.directory.path().join("typed")).unwrap_or_default();
            let ended = text.matches('\n').count() >= count;
            ended.then(|| text.lines().map(ToOwned::to_owned).collect())
        })
    }
}
