//! Apps: listed, started once there are pictures, waited for, and ended.

use crate::host::{Host, Pal, assert_complete, small, until, until_true};
use probe::{Error, StreamOptions, hostile};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// An app that writes down when it begins and when it is asked to end.
const DIARY: &str = r#"
[[app]]
name = "Diary"
command = ["sh", "-c", "trap 'echo ends >> {}/diary; exit 0' TERM; echo begins >> {}/diary; while :; do sleep 0.05; done"]
grace = 10
"#;

fn diary(seconds: u64) -> StreamOptions {
    StreamOptions {
        app: "Diary".to_owned(),
        ..small(seconds)
    }
}

fn quitting(options: StreamOptions) -> StreamOptions {
    StreamOptions {
        quit_after: true,
        ..options
    }
}

#[test]
fn apps_are_listed_with_numbers_that_stay() {
    let ids = || {
        let host = Host::with_apps(DIARY, &[]);
        let apps = host.paired().client.apps().unwrap();
        let named = |app: &probe::App| (app.title.clone(), app.id);
        apps.iter().map(named).collect::<Vec<_>>()
    };
    let first = ids();
    let titles: Vec<_> = first.iter().map(|(title, _)| title.as_str()).collect();
    assert!(
        titles.contains(&"Desktop") && titles.contains(&"Diary"),
        "{titles:?}"
    );
    assert!(first.iter().all(|(_, id)| *id > 0));
    assert_eq!(first, ids());
}

#[test]
fn an_app_begins_with_the_pictures_and_ends_with_quit() {
    let host = Host::with_apps(DIARY, &[]);
    let pal = host.paired();
    // Launched and negotiated, but nobody looks yet.
    let _open = hostile::open_session(&pal.client, &diary(1)).unwrap();
    assert!(pal.info().running_app.is_some());
    assert_eq!(host.read("diary"), "");
    pal.client.quit().unwrap();
    until_true("that session is over", || host.sessions() == 0);
    assert_eq!(host.read("diary"), "");

    let summary = pal.stream(&quitting(diary(1))).unwrap();
    assert_complete(&summary.total);
    assert!(!summary.setup.resumed);
    // Free at once, as clients check right after they quit.
    assert_eq!(pal.info().running_app, None);
    until_true("the app ends", || host.read("diary") == "begins\nends\n");
    until_true("the session is over", || host.sessions() == 0);
}

#[test]
fn an_app_waits_for_a_client_whose_connection_broke_and_goes_on_with_it() {
    let host = Host::with_apps(DIARY, &["--app-linger", "forever"]);
    let pal = host.paired();
    let first = pal.stream(&diary(1)).unwrap();
    until_true("the session is over", || host.sessions() == 0);
    let running = pal.info().running_app;
    assert!(running.is_some(), "it waits");
    let second = pal.stream(&quitting(diary(1))).unwrap();
    assert_eq!((first.setup.resumed, second.setup.resumed), (false, true));
    assert_complete(&second.total);
    until_true("the app ends", || host.read("diary") == "begins\nends\n");
}

#[test]
fn an_app_that_nobody_comes_back_for_ends() {
    let host = Host::with_apps(DIARY, &["--app-linger", "1"]);
    let pal = host.paired();
    pal.stream(&diary(1)).unwrap();
    until_true("the app ends", || host.read("diary") == "begins\nends\n");
    until_true("nothing is shown as running", || {
        pal.info().running_app.is_none()
    });
    assert!(!pal.stream(&quitting(diary(1))).unwrap().setup.resumed);
}

#[test]
fn another_app_than_the_one_that_runs_is_not_started_beside_it() {
    let host = Host::with_apps(DIARY, &[]);
    let pal = host.paired();
    let running = pal.stream(&diary(1));
    assert!(running.is_ok());
    let other = pal.stream(&small(1));
    assert!(matches!(other, Err(Error::OtherAppRunning(_))), "{other:?}");
    pal.client.quit().unwrap();
    let ended = pal.stream(&quitting(small(1))).unwrap();
    assert!(!ended.setup.resumed);
    let unknown = StreamOptions {
        app: "Nothing".to_owned(),
        ..small(1)
    };
    assert!(matches!(pal.stream(&unknown), Err(Error::NoSuchApp(_))));
}

/// The probe as a program of its own, which streams until it is killed.
struct Apart(Child);

impl Apart {
    /// Returns once there are pictures.
    fn stream(host: &Host, pal: &Pal) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_heliostat"))
            .args(["probe", "moonlight", &host.address().to_string()])
            .args(["--state-dir", pal.folder().to_str().unwrap()])
            .args(["stream", "Diary", "--size", "640x360", "--fps", "30"])
            .args(["--bitrate", "2M", "--seconds", "600", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let apart = Self(child);
        let pictures = lines.map_while(Result::ok).any(|line| {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            line["second"]["frames"].as_u64().unwrap() > 0
        });
        assert!(pictures, "pictures come");
        apart
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_client_that_falls_silent_is_gone_and_its_app_waits() {
    let host = Host::with_apps(
        DIARY,
        &["--app-linger", "forever", "--idle-timeout-ms", "1000"],
    );
    let pal = host.paired();
    let apart = Apart::stream(&host, &pal);
    assert_eq!(host.sessions(), 1);
    kill_process(Pid::from_child(&apart.0), Signal::STOP).unwrap();
    until_true("the silent session is over", || host.sessions() == 0);
    let running = until("its app is shown", || pal.info().running_app);
    assert!(running > 0);
    drop(apart);
    let resumed = pal.stream(&quitting(diary(1))).unwrap();
    assert!(resumed.setup.resumed);
    assert_complete(&resumed.total);
    until_true("the app ends", || host.read("diary") == "begins\nends\n");
}
