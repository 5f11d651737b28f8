//! Real processes: what runs when, what is undone, who is reached by a stop, and what is told.

use super::*;
use crate::Failure;
use crate::catalogue::parse;
use media::{FrameRate, Size};
use rustix::fs::OFlags;
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

/// How long anything may take on a busy machine before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder for an app's commands, each of which is a script for `sh` that runs there.
struct Place {
    folder: tempfile::TempDir,
}

/// An app under way, and what is told of it.
struct Watched {
    app: RunningApp,
    events: Receiver<AppEvent>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Makes a named pipe: reading it to its end waits for all who hold it open for writing.
    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        path
    }

    fn app(&self, fields: &str) -> Arc<App> {
        let folder = self.folder.path().display();
        let text = format!("[[app]]\nname = 'Test'\ndirectory = '{folder}'\n{fields}\n");
        let catalogue = parse(&text).unwrap();
        Arc::clone(&catalogue.apps()[1])
    }

    fn launch(&self, fields: &str) -> Watched {
        self.launch_around(fields, Surroundings::default())
    }

    fn launch_around(&self, fields: &str, around: Surroundings) -> Watched {
        let (sender, events) = channel();
        let app = self.app(fields);
        let tell = move |event| sender.send(event).unwrap_or(());
        let app = launch(Launch { app, around }, &Journal::default(), tell).unwrap();
        Watched { app, events }
    }
}

impl Watched {
    fn next(&self) -> AppEvent {
        self.events
            .recv_timeout(PATIENCE)
            .expect("something happens")
    }

    fn started(&self) -> Option<u32> {
        match self.next() {
            AppEvent::Started { pid } => pid,
            other => panic!("not started: {other:?}"),
        }
    }

    fn ended(&self) {
        assert!(matches!(self.next(), AppEvent::Ended));
        assert!(self.app.wait(PATIENCE));
    }
}

/// Waits for a line of a pipe that scripts write to.
fn read_to_end(fifo: &Path) -> String {
    fs::read_to_string(fifo).unwrap()
}

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn preparations_come_in_order_and_are_undone_in_reverse_after_a_stop() {
    let place = Place::new();
    let up = place.fifo("up");
    // The child says that it is up: a signal between its fork and its exec would meet the shell's trap,
    // and be lost.
    let watched = place.launch(
        "prep = [
            { do = ['sh', '-c', 'echo do1 >> log'], undo = ['sh', '-c', 'echo undo1 >> log'] },
            { undo = ['sh', '-c', 'echo undo2 >> log'] },
            { do = ['sh', '-c', 'echo do3 >> log'] },
            { do = ['sh', '-c', 'echo do4 >> log'], undo = ['sh', '-c', 'echo undo4 >> log'] },
        ]
        command = ['sh', '-c', 'trap \"echo bye >> log; exit 0\" TERM; echo app >> log; sh -c \"echo > up; exec sleep 1000\" & wait']",
    );
    let pid = watched.started().unwrap();
    read_to_end(&up);
    assert_eq!(place.text("log"), "do1\ndo3\ndo4\napp\n");
    watched.app.stop();
    watched.app.stop();
    assert!(matches!(
        watched.next(),
        AppEvent::Stopped { killed: false }
    ));
    watched.ended();
    assert_eq!(
        place.text("log"),
        "do1\ndo3\ndo4\napp\nbye\nundo4\nundo2\nundo1\n"
    );
    assert!(!exists(pid), "a zombie is left");
}

#[test]
fn an_app_without_a_command_is_its_preparations() {
    let place = Place::new();
    let watched = place.launch("prep = [{ do = 'touch there', undo = 'rm there' }]");
    assert_eq!(watched.started(), None);
    assert!(place.path("there").exists());
    watched.app.stop();
    assert!(matches!(
        watched.next(),
        AppEvent::Stopped { killed: false }
    ));
    watched.ended();
    assert!(!place.path("there").exists());
}

#[test]
fn a_stop_reaches_the_children_of_children() {
    let place = Place::new();
    let held = place.fifo("held");
    let up = place.fifo("up");
    // The grandchild alone holds `held` open, and its parents do not pass the signal on.
    fs::write(
        place.path("grandchild.sh"),
        "exec 3> held; echo > up; exec sleep 1000",
    )
    .unwrap();
    let watched =
        place.launch("command = ['sh', '-c', 'sh -c \"sh grandchild.sh & wait\" & wait']");
    watched.started();
    let reader = thread::spawn(move || read_to_end(&held));
    read_to_end(&up);
    watched.app.stop();
    assert!(matches!(
        watched.next(),
        AppEvent::Stopped { killed: false }
    ));
    watched.ended();
    assert_eq!(reader.join().unwrap(), "");
}

#[test]
fn a_child_that_outlives_the_first_process_has_its_grace_too() {
    let place = Place::new();
    let up = place.fifo("up");
    // The first process ends at once when asked to; its child has something to save.
    let save =
        "trap 'sleep 0.3; echo saved >> log; exit 0' TERM; echo > up; while :; do sleep 0.1; done";
    fs::write(place.path("save.sh"), save).unwrap();
    let watched = place.launch("command = ['sh', '-c', 'sh save.sh & wait']\ngrace = 60");
    watched.started();
    read_to_end(&up);
    watched.app.stop();
    assert!(matches!(
        watched.next(),
        AppEvent::Stopped { killed: false }
    ));
    assert_eq!(place.text("log"), "saved\n");
    watched.ended();
}

#[test]
fn an_app_that_ignores_the_request_to_end_is_killed() {
    let place = Place::new();
    let up = place.fifo("up");
    let watched = place.launch(
        "command = ['sh', '-c', 'trap \"\" TERM; echo > up; while :; do sleep 0.1; done']
        grace = 1
        prep = [{ undo = 'touch undone' }]",
    );
    let pid = watched.started().unwrap();
    read_to_end(&up);
    watched.app.stop();
    assert!(matches!(watched.next(), AppEvent::Stopped { killed: true }));
    watched.ended();
    assert!(place.path("undone").exists());
    assert!(!exists(pid), "a zombie is left");
}

#[test]
fn an_app_that_ends_by_itself_is_told_with_its_last_words_and_undone() {
    let place = Place::new();
    let watched = place.launch(
        "command = ['sh', '-c', 'echo out; echo err >&2; exit 3']
        settle = 0
        prep = [{ undo = 'touch undone' }]",
    );
    let pid = watched.started().unwrap();
    let AppEvent::Exited { exit, output, .. } = watched.next() else {
        panic!("no exit");
    };
    assert_eq!(exit, Exit::Code(3));
    assert_eq!(output, ["out", "err"]);
    watched.ended();
    assert!(place.path("undone").exists());
    assert!(!exists(pid), "a zombie is left");

    let watched = place.launch("command = ['sh', '-c', 'kill -9 $$']\nsettle = 0");
    watched.started();
    let event = watched.next();
    assert!(
        matches!(
            event,
            AppEvent::Exited {
                exit: Exit::Signal(9),
                ..
            }
        ),
        "{event:?}"
    );
    watched.ended();
}

#[test]
fn an_app_goes_on_while_anybody_of_its_group_does() {
    let place = Place::new();
    let go = place.fifo("go");
    let watched =
        place.launch("command = ['sh', '-c', '(read line < go; exit 5) & exit 4']\nsettle = 0");
    watched.started();
    // The pipe opens only once the child in the background reads it, so the first one may be gone.
    fs::write(&go, "now\n").unwrap();
    let event = watched.next();
    assert!(
        matches!(
            event,
            AppEvent::Exited {
                exit: Exit::Code(4),
                ..
            }
        ),
        "{event:?}"
    );
    watched.ended();
}

#[test]
fn a_launcher_that_hands_over_leaves_the_app_running_until_it_is_stopped() {
    let place = Place::new();
    let watched =
        place.launch("command = 'true'\nsettle = 300\nprep = [{ undo = 'touch undone' }]");
    watched.started();
    assert!(matches!(watched.next(), AppEvent::HandedOver));
    assert!(!watched.app.wait(Duration::ZERO));
    assert!(!place.path("undone").exists());
    watched.app.stop();
    assert!(matches!(
        watched.next(),
        AppEvent::Stopped { killed: false }
    ));
    watched.ended();
    assert!(place.path("undone").exists());
}

/// What is told of an app whose launch fails: the failure, and what its outputs said.
fn failure(watched: &Watched) -> (String, Failure, Vec<String>) {
    let AppEvent::LaunchFailed { error, output } = watched.next() else {
        panic!("the launch did not fail");
    };
    let AppsError::Command { command, failure } = error else {
        panic!("not a command: {error}");
    };
    watched.ended();
    (command, failure, output)
}

#[test]
fn a_preparation_that_fails_fails_the_launch_and_what_was_done_is_undone() {
    let place = Place::new();
    let watched = place.launch(
        "prep = [
            { undo = ['sh', '-c', 'echo undo1 >> log'] },
            { do = 'true', undo = ['sh', '-c', 'echo undo2 >> log'] },
            { do = ['sh', '-c', 'echo no such output; exit 7'], undo = ['sh', '-c', 'echo undo3 >> log'] },
            { do = ['sh', '-c', 'echo do4 >> log'] },
        ]
        command = 'touch started'",
    );
    let (command, failure, output) = failure(&watched);
    assert_eq!(command, "sh -c 'echo no such output; exit 7'");
    assert!(
        matches!(failure, Failure::Ended(Exit::Code(7))),
        "{failure}"
    );
    assert_eq!(output, ["no such output"]);
    assert_eq!(place.text("log"), "undo2\nundo1\n");
    assert!(!place.path("started").exists());
}

#[test]
fn a_preparation_that_takes_too_long_is_killed_with_its_children() {
    let place = Place::new();
    let held = place.fifo("held");
    let reader = thread::spawn({
        let held = held.clone();
        move || read_to_end(&held)
    });
    let watched =
        place.launch("prep = [{ do = ['sh', '-c', '(sleep 1000) > held; true'], limit = 1 }]");
    let (_, failure, _) = failure(&watched);
    assert!(
        matches!(failure, Failure::Late(limit) if limit.as_secs() == 1),
        "{failure}"
    );
    // On a busy machine it may be killed before it opens the pipe; then the reader still waits.
    let flags = OFlags::WRONLY | OFlags::NONBLOCK;
    drop(rustix::fs::open(&held, flags, rustix::fs::Mode::empty()));
    assert_eq!(reader.join().unwrap(), "");
}

#[test]
fn a_program_or_a_directory_that_is_not_there_is_a_failed_launch() {
    let place = Place::new();
    let watched = place.launch("command = '/nowhere/game'\nprep = [{ undo = 'touch undone' }]");
    let (command, failure_, _) = failure(&watched);
    assert_eq!(command, "/nowhere/game");
    assert!(matches!(failure_, Failure::Spawn(_)), "{failure_}");
    assert!(place.path("undone").exists());

    let (sender, events) = channel();
    let gone = Arc::new(App {
        directory: Some("/nowhere/at/all".into()),
        ..(*place.app("command = 'true'")).clone()
    });
    let around = Surroundings::default();
    let tell = move |event| sender.send(event).unwrap_or(());
    let app = launch(Launch { app: gone, around }, &Journal::default(), tell).unwrap();
    let (_, failure, _) = failure(&Watched { app, events });
    assert!(
        failure.to_string().contains("/nowhere/at/all is not there"),
        "{failure}"
    );
}

#[test]
fn an_app_that_fails_soon_after_its_start_has_failed_to_launch() {
    let place = Place::new();
    let watched = place.launch("command = ['sh', '-c', 'echo no display; exit 1']\nsettle = 300");
    watched.started();
    let (_, failure, output) = failure(&watched);
    assert!(
        matches!(failure, Failure::Ended(Exit::Code(1))),
        "{failure}"
    );
    assert_eq!(output, ["no display"]);
}

#[test]
fn an_undo_that_fails_is_told_and_the_others_still_run() {
    let place = Place::new();
    let watched = place.launch("prep = [{ undo = 'touch undone' }, { undo = 'false' }]");
    watched.started();
    watched.app.stop();
    assert!(matches!(watched.next(), AppEvent::Stopped { .. }));
    let event = watched.next();
    assert!(
        matches!(&event, AppEvent::UndoFailed(error) if error.to_string() == "`false`: ended with exit code 1"),
        "{event:?}"
    );
    watched.ended();
    assert!(place.path("undone").exists());
}

#[test]
fn a_stop_while_preparing_starts_nothing_more_and_undoes_what_was_done() {
    let place = Place::new();
    let (up, go) = (place.fifo("up"), place.fifo("go"));
    let watched = place.launch(
        "prep = [
            { do = ['sh', '-c', 'echo > up; read line < go'], undo = ['sh', '-c', 'echo undo1 >> log'] },
            { do = ['sh', '-c', 'echo do2 >> log'], undo = ['sh', '-c', 'echo undo2 >> log'] },
        ]
        command = ['sh', '-c', 'echo app >> log']",
    );
    read_to_end(&up);
    watched.app.stop();
    fs::write(go, "now\n").unwrap();
    assert!(matches!(
        watched.next(),
        AppEvent::Stopped { killed: false }
    ));
    watched.ended();
    assert_eq!(place.text("log"), "undo1\n");
}

#[test]
fn dropping_a_running_app_stops_it() {
    let place = Place::new();
    let watched = place.launch("command = 'sleep 1000'");
    watched.started();
    let Watched { app, events } = watched;
    drop(app);
    let event = events.recv_timeout(PATIENCE).unwrap();
    assert!(
        matches!(event, AppEvent::Stopped { killed: false }),
        "{event:?}"
    );
}

#[test]
fn the_owner_s_variables_go_before_the_host_s_and_these_before_inherited_ones() {
    let place = Place::new();
    let mut around = Surroundings {
        set: vec![
            ("BOTH".into(), "host".into()),
            ("DISPLAY".into(), ":7".into()),
        ],
        remove: vec!["PATH".into()],
        directory: None,
    };
    let mode = Mode {
        size: Size::new(1280, 720),
        fps: FrameRate::new(90).unwrap(),
    };
    around.describe(&place.app(""), "Ana's phone", mode);
    let print = "/bin/echo \"$BOTH|$DISPLAY|$OWN|${CARGO:-none}|$HELIOSTAT_APP_NAME|$HELIOSTAT_CLIENT_NAME|\
                 $HELIOSTAT_CLIENT_WIDTH|$HELIOSTAT_CLIENT_HEIGHT|$HELIOSTAT_CLIENT_FPS\" > seen";
    fs::write(place.path("print.sh"), print).unwrap();
    around.remove.push("CARGO".into());
    let watched = place.launch_around(
        "command = '/bin/sh print.sh'\nenv = { BOTH = 'owner', OWN = 'x y' }\nsettle = 0",
        around,
    );
    watched.started();
    assert!(matches!(
        watched.next(),
        AppEvent::Exited {
            exit: Exit::Code(0),
            ..
        }
    ));
    watched.ended();
    assert_eq!(
        place.text("seen"),
        "owner|:7|x y|none|Test|Ana's phone|1280|720|90\n"
    );
}

#[test]
fn a_program_that_left_the_group_can_still_write_after_the_end() {
    let place = Place::new();
    let (go, wrote) = (place.fifo("go"), place.fifo("wrote"));
    let left = "trap '' TERM; read line < go; echo something && echo ok > wrote";
    fs::write(place.path("left.sh"), left).unwrap();
    let watched = place.launch("prep = [{ do = ['sh', '-c', 'setsid sh left.sh &'] }]");
    watched.started();
    watched.app.stop();
    assert!(matches!(
        watched.next(),
        AppEvent::Stopped { killed: false }
    ));
    watched.ended();
    fs::write(go, "now\n").unwrap();
    assert_eq!(read_to_end(&wrote), "ok\n");
}

#[test]
fn what_is_owed_is_written_down_before_it_is_done_and_gone_once_it_is_undone() {
    let place = Place::new();
    let journal = Journal::open(place.folder.path()).unwrap();
    let app = place.app(
        "prep = [
            { do = ['sh', '-c', 'cp running-apps-1.json before1'], undo = 'touch undone1' },
            { do = ['sh', '-c', 'cp running-apps-1.json before2; exit 1'], undo = 'touch undone2' },
        ]
        command = 'true'",
    );
    let (sender, events) = channel();
    let tell = move |event| sender.send(event).unwrap_or(());
    let around = Surroundings::default();
    let app = launch(Launch { app, around }, &journal, tell).unwrap();
    let watched = Watched { app, events };
    failure(&watched);
    let owed = |name: &str| {
        let written: serde_json::Value = serde_json::from_str(&place.text(name)).unwrap();
        let owed = written["apps"][0]["owed"].as_array().unwrap().clone();
        owed.iter()
            .map(|owed| owed["command"]["arguments"][0].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(owed("before1"), ["undone1"]);
    assert_eq!(owed("before2"), ["undone1", "undone2"]);
    assert!(place.path("undone1").exists() && !place.path("undone2").exists());
    assert!(!place.path("running-apps-1.json").exists());
}
