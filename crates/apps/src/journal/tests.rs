//! Journals that hosts left, with real processes. A host that is killed is one whose journal is still
//! there and whose lock is not: its threads are another program's to these tests.

use super::*;
use crate::catalogue::{CommandLine, parse};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const FILE: &str = "running-apps-1.json";

/// A state directory.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn app(&self, grace_s: u8) -> Arc<App> {
        let folder = self.0.path().display();
        let text = format!(
            "[[app]]\nname = 'Test'\ndirectory = '{folder}'\ngrace = {grace_s}\nenv = {{ OWN = 'x' }}"
        );
        Arc::clone(&parse(&text).unwrap().apps()[1])
    }

    /// A command that adds a line to the log.
    fn says(word: &str) -> Owed {
        let script = format!("echo {word} $OWN $GIVEN >> log");
        let command = CommandLine {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), script],
        };
        Owed::new(command, Duration::from_secs(60))
    }

    fn around() -> Surroundings {
        Surroundings {
            set: vec![("GIVEN".into(), "y".into())],
            ..Surroundings::default()
        }
    }
}

/// Starts a script as the leader of a group, marked so; it has begun once this returns, by the line
/// that it writes.
fn start(script: &str, mark: &str) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", script])
        .env("HELIOSTAT_APP_RUN", mark)
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    child
}

fn ended_by(child: &mut Child) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    child.wait().unwrap().signal()
}

#[test]
fn what_is_owed_is_undone_in_reverse_and_once_after_the_group_has_ended() {
    let place = Place::new();
    let journal = Journal::open(place.0.path()).unwrap();
    let entry = journal.begin(&place.app(60), &Place::around());
    entry.owe(Place::says("one"));
    entry.owe(Place::says("two"));
    let script = format!(
        "cd {}; trap 'echo bye >> log; exit 0' TERM; echo up; while :; do sleep 0.05; done",
        place.0.path().display()
    );
    let mut child = start(&script, &entry.starts());
    entry.runs(child.id());
    let mode = fs::metadata(place.path(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // The host lives.
    recover(place.0.path());
    assert_eq!(place.text("log"), "");
    assert!(child.try_wait().unwrap().is_none());

    drop((journal, entry));
    recover(place.0.path());
    assert_eq!(place.text("log"), "bye\ntwo x y\none x y\n");
    assert_eq!(ended_by(&mut child), None);
    assert!(!place.path(FILE).exists());
    recover(place.0.path());
    assert_eq!(place.text("log"), "bye\ntwo x y\none x y\n");
}

#[test]
fn a_group_that_does_not_end_is_killed_with_those_whose_leader_is_gone() {
    let place = Place::new();
    let journal = Journal::open(place.0.path()).unwrap();
    let entry = journal.begin(&place.app(0), &Place::around());
    // The child alone is left, and takes no notice of being asked.
    let script = "trap '' TERM; (echo up; exec sleep 1000) & exit 0";
    let mark = entry.starts();
    let mut leader = start(script, &mark);
    let pid = leader.id();
    entry.runs(pid);
    leader.wait().unwrap();
    let left = || {
        let stats = proc::pids().into_iter().filter_map(proc::Stat::of);
        stats.filter(|stat| stat.alive && stat.group == pid).count()
    };
    assert_eq!(left(), 1);
    drop((journal, entry));
    recover(place.0.path());
    assert_eq!(left(), 0);
    assert!(!place.path(FILE).exists());
}

#[test]
fn a_number_that_is_somebody_else_s_by_now_is_not_signalled() {
    let place = Place::new();
    let mut other = start("echo up; exec sleep 1000", "elsewhere");
    let pid = other.id();
    let stat = proc::Stat::of(pid).unwrap();
    let leave = |boot_id: String, start_ticks: u64| {
        let mut record = Record::new(&place.app(0), &Place::around());
        record.running = Some(Running {
            mark: "mine".to_owned(),
            leader: Some(Leader { pid, start_ticks }),
        });
        record.owed.push(Place::says("undone"));
        let apps = vec![record];
        let bytes = serde_json::to_vec(&Written { boot_id, apps }).unwrap();
        private_file::replace(&place.path(FILE), &bytes).unwrap();
        recover(place.0.path());
    };
    leave(proc::boot_id(), stat.start_ticks + 1);
    leave("another start of the machine".to_owned(), stat.start_ticks);
    assert_eq!(place.text("log"), "undone x y\nundone x y\n");
    assert!(other.try_wait().unwrap().is_none(), "it was signalled");
    leave(proc::boot_id(), stat.start_ticks);
    assert!(ended_by(&mut other).is_some());
}

#[test]
fn a_command_whose_host_did_not_learn_its_number_is_found_by_its_mark() {
    let place = Place::new();
    let journal = Journal::open(place.0.path()).unwrap();
    let entry = journal.begin(&place.app(60), &Place::around());
    let mut child = start("echo up; exec sleep 1000", &entry.starts());
    drop((journal, entry));
    recover(place.0.path());
    assert_eq!(ended_by(&mut child), Some(15));
}

#[test]
fn garbage_is_set_aside_and_the_place_is_taken() {
    for garbage in [
        "",
        "{",
        "[]",
        "{\"bootId\": 1}",
        "\u{0}\u{0}",
        "{\"bootId\":\"\",\"apps\":[{}]}",
    ] {
        let place = Place::new();
        private_file::replace(&place.path(FILE), garbage.as_bytes()).unwrap();
        recover(place.0.path());
        assert!(!place.path(FILE).exists());
        assert_eq!(place.text("running-apps-1.bad"), garbage);
        Journal::open(place.0.path()).unwrap();
    }
}

#[test]
fn what_others_may_write_is_not_performed() {
    let place = Place::new();
    let journal = Journal::open(place.0.path()).unwrap();
    let entry = journal.begin(&place.app(0), &Place::around());
    entry.owe(Place::says("undone"));
    drop((journal, entry));
    fs::set_permissions(place.path(FILE), fs::Permissions::from_mode(0o622)).unwrap();
    recover(place.0.path());
    assert_eq!(place.text("log"), "");
    assert!(place.path("running-apps-1.bad").exists());
}

#[test]
fn hosts_side_by_side_keep_journals_of_their_own() {
    let place = Place::new();
    let owing = |word: &str| {
        let journal = Journal::open(place.0.path()).unwrap();
        let entry = journal.begin(&place.app(0), &Place::around());
        entry.owe(Place::says(word));
        (journal, entry)
    };
    let (first, second) = (owing("first"), owing("second"));
    assert!(place.path("running-apps-2.json").exists());
    drop(first);
    recover(place.0.path());
    assert_eq!(place.text("log"), "first x y\n");
    let (journal, entry) = second;
    entry.settle();
    assert!(!place.path("running-apps-2.json").exists());
    drop(journal);
}
