//! What stands in a file of apps, what is said of a wrong one, and what a wrong one leaves alone.

use super::*;
use std::fs;

const WHOLE: &str = r#"
[[app]]
name = "Steam Big Picture"
id = 42
command = "steam -gamepadui 'two words'"
directory = "games"
env = { LANG = "C", EMPTY = "" }
prep = [{ do = "xrandr --output HDMI-1 --mode 1280x720", undo = ["xrandr", "--auto"], limit = 3 }, { undo = "true" }]
image = "steam.png"
linger = "forever"
grace = 20
settle = 0

[[app]]
name = "Editor"
command = ["vi", "a b"]
linger = 90
"#;

fn complaint(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn every_field_is_read_and_the_desktop_stands_first() {
    let catalogue = parse(WHOLE).unwrap();
    let names: Vec<&str> = catalogue
        .apps()
        .iter()
        .map(|app| app.name.as_str())
        .collect();
    assert_eq!(names, ["Desktop", "Steam Big Picture", "Editor"]);
    let steam = catalogue.get(AppId::new(42).unwrap()).unwrap();
    let command = steam.command.as_ref().unwrap();
    assert_eq!(command.program, "steam");
    assert_eq!(command.arguments, ["-gamepadui", "two words"]);
    assert_eq!(command.to_string(), "steam -gamepadui 'two words'");
    assert_eq!(steam.directory.as_deref(), Some(Path::new("games")));
    assert_eq!(steam.env["LANG"], "C");
    assert_eq!(steam.prep.len(), 2);
    assert_eq!(steam.prep[0].limit, Duration::from_secs(3));
    assert_eq!(steam.prep[1].do_command, None);
    assert_eq!(steam.prep[1].limit, Duration::from_secs(10));
    assert_eq!(steam.image.as_deref(), Some(Path::new("steam.png")));
    assert_eq!(steam.linger, Some(Linger::Forever));
    assert_eq!(
        (steam.grace, steam.settle),
        (Duration::from_secs(20), Duration::ZERO)
    );
    assert_eq!(catalogue.apps()[2].linger, Some(Linger::Seconds(90)));
}

#[test]
fn the_file_may_have_its_own_desktop_or_none() {
    let own =
        parse("[[app]]\nname='Game'\ncommand='game'\n[[app]]\nname='Desktop'\nlinger='off'\n")
            .unwrap();
    let names: Vec<&str> = own.apps().iter().map(|app| app.name.as_str()).collect();
    assert_eq!(names, ["Game", "Desktop"]);
    let none = parse("desktop = false\n[[app]]\nname='Game'\ncommand='game'\n").unwrap();
    assert_eq!(none.apps().len(), 1);
    assert!(complaint("desktop = false").contains("no app is left"));
    assert_eq!(parse("").unwrap(), Catalogue::default());
}

#[test]
fn ids_are_positive_and_never_change() {
    assert_eq!(AppId::of_name("Desktop").get(), 1_679_907_923);
    assert_eq!(AppId::of_name("").get(), 0x011c_9dc5);
    assert_eq!(AppId::new(0), None);
    assert_eq!(AppId::new(-3), None);
}

#[test]
fn one_id_for_two_apps_is_refused() {
    let text = format!(
        "[[app]]\nname='A'\n\n[[app]]\nname='B'\nid={}\n",
        AppId::of_name("A")
    );
    let said = complaint(&text);
    assert!(said.starts_with("line 6: app \"B\": `id`: "), "{said}");
    assert!(said.contains("belongs to \"A\" already (line 1)"), "{said}");
    let said = complaint("[[app]]\nname='A'\n[[app]]\nname='A'\n");
    assert!(said.contains("two apps of one name"), "{said}");
}

#[test]
fn a_complaint_names_line_app_field_and_what_is_allowed() {
    let app = |rest: &str| format!("[[app]]\nname = \"G\"\n{rest}\n");
    for (text, expected) in [
        (
            app("colour = 1"),
            "line 3: app \"G\": `colour`: unknown field `colour`, expected one of `name`, `id`,",
        ),
        (
            app("command = 3"),
            "line 3: app \"G\": `command`: invalid type: integer `3`, expected a command: a text, or a list",
        ),
        (
            app("command = ['a', 3]"),
            "line 3: app \"G\": `command[1]`: invalid type",
        ),
        (app("command = ''"), "`command`: is empty; leave it out"),
        (app("command = []"), "`command`: is empty; leave it out"),
        (
            app("command = \"a 'b\""),
            "`command`: a quotation is not closed",
        ),
        (
            app("command = 'a && b'"),
            "`command`: no shell reads this, so `&&` would be an argument",
        ),
        (app("command = \"a \\u0000\""), "`command`: a NUL character"),
        (app("directory = '~/x'"), "`directory`: no shell reads this"),
        (
            app("linger = 'sometimes'"),
            "line 3: app \"G\": `linger`: allowed: \"off\", seconds from 0 to 86400, or \"forever\"",
        ),
        (app("linger = 86401"), "`linger`: allowed: \"off\""),
        (
            app("linger = 1.5"),
            "expected \"off\", seconds from 0 to 86400",
        ),
        (
            app("grace = 61"),
            "`grace`: is 61; allowed: 0 to 60 seconds",
        ),
        (
            app("settle = -1"),
            "`settle`: is -1; allowed: 0 to 300 seconds",
        ),
        (app("id = 0"), "`id`: is 0; allowed: 1 to 2147483647"),
        (app("id = 2147483648"), "`id`: is 2147483648; allowed"),
        (
            app("env = { A = 1 }"),
            "`env.A`: invalid type: integer `1`, expected a string",
        ),
        (
            app("prep = [{ do = 'x' }, {}]"),
            "`prep[1]`: has neither `do` nor `undo`",
        ),
        (
            app("prep = [{ do = 'x', limit = 0 }]"),
            "`prep[0].limit`: is 0; allowed: 1 to 600 seconds",
        ),
        (
            app("prep = [{ run = 'x' }]"),
            "`prep[0].run`: unknown field `run`, expected one of `do`, `undo`, `limit`",
        ),
    ] {
        let said = complaint(&text);
        assert!(
            said.contains(expected),
            "{text}\nsays: {said}\nnot: {expected}"
        );
    }
}

#[test]
fn what_is_out_of_place_is_told_with_its_line() {
    for (text, expected) in [
        (
            "[[app]]\nname='G'\nimage = ''\n",
            "`image`: allowed: a path",
        ),
        (
            "[[app]]\nname='G'\nenv = { 'A=B' = '1' }\n",
            "allowed: a name without `=`",
        ),
        (
            "[[app]]\ncommand = 'x'\n",
            "line 1: app number 1: missing field `name`",
        ),
        (
            "[[app]]\nname = ' x'\n",
            "`name`: allowed: 1 to 128 characters",
        ),
        ("app = 3\n", "write one [[app]]"),
        ("app = [3]\n", "write one [[app]]"),
        (
            "\n[[apps]]\n",
            "line 2: \"apps\" is not known here; allowed: [[app]], desktop",
        ),
        ("desktop = 'no'", "`desktop` is true or false"),
        ("\n\n[[app]\n", "line 3: "),
    ] {
        let said = complaint(text);
        assert!(said.contains(expected), "{text}\nsays: {said}");
    }
}

#[test]
fn more_apps_than_a_client_can_show_are_refused() {
    let apps = |count: usize| {
        let app = |index| format!("[[app]]\nname='{index}'\n");
        (0..count).map(app).collect::<String>()
    };
    assert_eq!(parse(&apps(MAX_APPS)).unwrap().apps().len(), MAX_APPS + 1);
    assert!(complaint(&apps(MAX_APPS + 1)).contains("line 513: 257 apps; allowed: at most 256"));
}

#[test]
fn a_missing_file_is_the_desktop_alone_and_an_unreadable_one_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apps.toml");
    assert_eq!(Catalogue::load(&path).unwrap(), Catalogue::default());
    assert!(!path.exists());
    fs::write(&path, b"\xff").unwrap();
    let said = Catalogue::load(&path).unwrap_err().to_string();
    assert!(said.contains("apps.toml: is not UTF-8 at byte 0"), "{said}");
    let said = Catalogue::load(folder.path()).unwrap_err().to_string();
    assert!(said.contains("is not a plain file"), "{said}");
    fs::write(
        &path,
        vec![b'#'; usize::try_from(MAX_FILE_BYTES).unwrap() + 1],
    )
    .unwrap();
    let said = Catalogue::load(&path).unwrap_err().to_string();
    assert!(said.contains("is larger than 1024 KiB"), "{said}");
}

#[test]
fn a_wrong_file_is_told_with_its_path_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apps.toml");
    fs::write(&path, WHOLE).unwrap();
    let mut file = AppsFile::open(path.clone()).unwrap();
    let before = Arc::clone(file.current());
    let steam = before.get(AppId::new(42).unwrap()).unwrap();
    assert_eq!(steam.directory, Some(folder.path().join("games")));
    assert!(!file.reload().unwrap());

    fs::write(&path, "[[app]]\n").unwrap();
    let said = file.reload().unwrap_err().to_string();
    assert!(
        said.starts_with(&format!("{}:1: app number 1: ", path.display())),
        "{said}"
    );
    assert_eq!(file.current(), &before);
    assert_eq!(fs::read_to_string(&path).unwrap(), "[[app]]\n");

    fs::write(&path, "[[app]]\nname='New'\n").unwrap();
    assert!(file.reload().unwrap());
    assert_eq!(file.current().apps()[1].name, "New");
}

#[test]
fn a_picture_is_read_when_asked_for_and_a_wrong_one_costs_the_picture_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apps.toml");
    let elsewhere = tempfile::tempdir().unwrap();
    let absolute = elsewhere.path().join("far.png");
    let text = format!(
        "[[app]]\nname='Near'\nimage='near.png'\n[[app]]\nname='Far'\nimage='{}'\n",
        absolute.display()
    );
    fs::write(&path, text).unwrap();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";
    fs::write(&absolute, png).unwrap();
    fs::write(folder.path().join("near.png"), "not a picture").unwrap();
    let catalogue = Catalogue::load(&path).unwrap();
    let [desktop, near, far] = catalogue.apps() else {
        panic!("{catalogue:?}")
    };
    assert_eq!(desktop.image_bytes().unwrap(), None);
    assert_eq!(far.image_bytes().unwrap().as_deref(), Some(&png[..]));
    let said = near.image_bytes().unwrap_err().to_string();
    assert!(
        said.contains("app \"Near\"") && said.contains("is not a PNG picture"),
        "{said}"
    );
    assert_eq!(catalogue.image_problems().len(), 1);
    let large = vec![0; usize::try_from(MAX_IMAGE_BYTES).unwrap() + 1];
    fs::write(folder.path().join("near.png"), large).unwrap();
    let said = near.image_bytes().unwrap_err().to_string();
    assert!(said.contains("is larger than 4096 KiB"), "{said}");
}
