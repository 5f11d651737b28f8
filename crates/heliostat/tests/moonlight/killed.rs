//! A host that is killed while an app runs, and the hosts that come after it.

use crate::host::{Host, small, until, until_true};
use probe::StreamOptions;
use std::fs;
use std::path::Path;

/// An app that writes down its number, what is done for it, and when it is asked to end. What it would
/// say of its children goes elsewhere: nobody reads its outputs once its host is killed.
const DIARY: &str = r#"
[[app]]
name = "Diary"
command = ["sh", "-c", "exec 2> {}/said; trap 'echo ends >> {}/diary; exit 0' TERM; echo begins >> {}/diary; echo $$ > {}/pid; while :; do sleep 0.05; done"]
grace = 10
prep = [
    { do = ["sh", "-c", "echo do1 >> {}/diary"], undo = ["sh", "-c", "echo undo1 at $PLACE >> {}/diary"] },
    { do = ["sh", "-c", "echo do2 >> {}/diary"], undo = ["sh", "-c", "echo undo2 for $HELIOSTAT_APP_NAME >> {}/diary"] },
]
env = { PLACE = "home" }
"#;
const BEGUN: &str = "do1\ndo2\nbegins\n";
const UNDONE: &str = "do1\ndo2\nbegins\nends\nundo2 for Diary\nundo1 at home\n";

/// Whether a process runs; whoever adopts those of a host that was killed may leave them unreaped.
fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z")
}

fn journal(host: &Host) -> bool {
    Path::new(&host.path("state/running-apps-1.json")).exists()
}

#[test]
fn the_next_host_ends_and_undoes_what_a_killed_one_left_once() {
    let mut host = Host::with_apps(DIARY, &["--app-linger", "forever"]);
    let pal = host.paired();
    let options = StreamOptions {
        app: "Diary".to_owned(),
        ..small(1)
    };
    pal.stream(&options).unwrap();
    let pid = until("the app runs", || host.read("pid").trim().parse().ok());
    until_true("what is owed is written down", || journal(&host));
    assert_eq!(host.read("diary"), BEGUN);

    // As long as it is alive, nobody else touches its app.
    drop(host.another());
    assert_eq!((host.read("diary").as_str(), runs(pid)), (BEGUN, true));

    host.kill();
    assert_eq!((host.read("diary").as_str(), runs(pid)), (BEGUN, true));
    // It serves only once all is put right.
    let mut second = host.another();
    assert_eq!((host.read("diary").as_str(), runs(pid)), (UNDONE, false));
    assert!(!journal(&host));
    let log = second.log();
    let undone = log.lines().filter(|line| line.contains("undone, as the"));
    let undone: Vec<_> = undone.collect();
    assert_eq!(undone.len(), 2, "{log}");
    assert!(undone[0].contains("undo2") && undone[1].contains("undo1"));
    assert!(log.contains("an app outlived its host; it is ended"));

    second.kill();
    drop(host.another());
    assert_eq!(host.read("diary"), UNDONE);
}

#[test]
fn a_journal_that_is_no_journal_is_told_and_set_aside() {
    let mut host = Host::with_apps(DIARY, &[]);
    host.kill();
    fs::write(host.path("state/running-apps-1.json"), "{ \"apps\": 7").unwrap();
    let second = host.another();
    assert!(!journal(&host));
    assert!(host.path("state/running-apps-1.bad").exists());
    assert!(second.log().contains("it is set aside"), "{}", second.log());
}
