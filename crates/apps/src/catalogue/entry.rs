//! The shape of the file of apps: its fields, their ranges, and what is said of a wrong one.

use super::place::{Field, line};
use super::{App, AppId, CommandLine, DESKTOP, MAX_APPS, Prep};
use crate::{Complaint, Linger};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How long an app may take to end.
pub(super) const DEFAULT_GRACE: Duration = Duration::from_secs(5);
/// How soon after its start the end of an app says nothing about the session.
pub(super) const DEFAULT_SETTLE: Duration = Duration::from_secs(5);
const DEFAULT_LIMIT_S: u32 = 10;
const LIMIT_S: RangeInclusive<u32> = 1..=600;
const GRACE_S: RangeInclusive<u32> = 0..=60;
const SETTLE_S: RangeInclusive<u32> = 0..=300;
const MAX_NAME_CHARS: usize = 128;
const MAX_PREP: usize = 32;
const MAX_VARIABLES: usize = 256;
const MAX_ARGUMENTS: usize = 1024;
/// What means something to a shell alone, and would be handed to the program as an argument.
const SHELL_WORDS: &[&str] = &["&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1"];

/// One `[[app]]` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    id: Option<Spanned<i64>>,
    command: Option<Spanned<Words>>,
    directory: Option<Spanned<String>>,
    #[serde(default)]
    env: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    prep: Vec<Spanned<PrepEntry>>,
    image: Option<Spanned<String>>,
    linger: Option<Spanned<LingerEntry>>,
    grace: Option<Spanned<i64>>,
    settle: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrepEntry {
    r#do: Option<Spanned<Words>>,
    undo: Option<Spanned<Words>>,
    limit: Option<Spanned<i64>>,
}

/// A command as it is written.
#[derive(Debug)]
enum Words {
    Line(String),
    List(Vec<String>),
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Words;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command: a text, or a list of texts")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
                Ok(Words::Line(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = list.next_element()? {
                    words.push(word);
                }
                Ok(Words::List(words))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// A linger as it is written: in range or not.
#[derive(Debug)]
struct LingerEntry(Option<Linger>);

impl<'de> Deserialize<'de> for LingerEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = LingerEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Linger::ALLOWED)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<LingerEntry, E> {
                let word = matches!(text, "off" | "forever");
                Ok(LingerEntry(Linger::from_text(text).filter(|_| word)))
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<LingerEntry, E> {
                let seconds = u32::try_from(seconds).ok();
                Ok(LingerEntry(seconds.and_then(Linger::seconds)))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// What is wrong, and where; the app is added where it is known.
struct Problem {
    span: Range<usize>,
    text: String,
}

impl Problem {
    fn at<T>(what: &Spanned<T>, text: impl Into<String>) -> Self {
        let (span, text) = (what.span(), text.into());
        Self { span, text }
    }

    fn of_toml(error: &toml::de::Error, otherwise: Range<usize>) -> Self {
        let span = error.span().unwrap_or(otherwise);
        let text = error.message().trim().replace('\n', "; ");
        Self { span, text }
    }

    fn in_file(self, text: &str) -> Complaint {
        Complaint {
            path: None,
            line: line(text, self.span.start),
            app: None,
            field: None,
            problem: self.text,
        }
    }
}

/// The apps that stand in `text`, the desktop among them unless the file says otherwise.
pub(super) fn apps(text: &str) -> Result<Vec<App>, Complaint> {
    let whole = 0..0;
    let root = DeTable::parse(text)
        .map_err(|error| Problem::of_toml(&error, whole.clone()).in_file(text))?;
    let (mut entries, mut desktop) = (Vec::new(), true);
    for (key, value) in root.into_inner() {
        let span = value.span();
        match (key.get_ref().as_ref(), value.into_inner()) {
            ("app", DeValue::Array(list)) => entries.extend(list),
            ("desktop", DeValue::Boolean(wanted)) => desktop = wanted,
            ("app", _) => {
                let problem = "write one [[app]] for each app".to_owned();
                return Err(Problem {
                    span,
                    text: problem,
                }
                .in_file(text));
            }
            ("desktop", _) => {
                let problem = "`desktop` is true or false".to_owned();
                return Err(Problem {
                    span,
                    text: problem,
                }
                .in_file(text));
            }
            (other, _) => {
                let problem = format!("{other:?} is not known here; allowed: [[app]], desktop");
                return Err(Problem::at(&key, problem).in_file(text));
            }
        }
    }
    if entries.len() > MAX_APPS {
        let problem = format!("{} apps; allowed: at most {MAX_APPS}", entries.len());
        return Err(Problem::at(&entries[MAX_APPS], problem).in_file(text));
    }
    let mut found = Found::default();
    for (index, value) in entries.into_iter().enumerate() {
        found.add(text, index, value)?;
    }
    found.finish(desktop).ok_or_else(|| {
        let text_for_owner = "no app is left: write one [[app]], or leave `desktop` out".to_owned();
        Problem {
            span: whole,
            text: text_for_owner,
        }
        .in_file(text)
    })
}

/// The apps so far, each with its line.
#[derive(Default)]
struct Found(Vec<(App, usize)>);

impl Found {
    fn add(
        &mut self,
        text: &str,
        index: usize,
        value: Spanned<DeValue<'_>>,
    ) -> Result<(), Complaint> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            let problem = "write one [[app]] for each app".to_owned();
            return Err(Problem {
                span,
                text: problem,
            }
            .in_file(text));
        };
        let fields = Field::of_table(&table);
        let title = title(&table, index);
        let complain = |problem: Problem| Complaint {
            app: Some(title.clone()),
            field: Field::path_at(&fields, problem.span.start),
            ..problem.in_file(text)
        };
        let de = toml::Deserializer::from(Spanned::new(span.clone(), table));
        let entry = Entry::deserialize(de);
        let entry = entry.map_err(|error| complain(Problem::of_toml(&error, span.clone())))?;
        let name_at = Problem::at(&entry.name, "");
        let id_at = entry
            .id
            .as_ref()
            .map_or(name_at.span.clone(), Spanned::span);
        let app = app(entry).map_err(complain)?;
        for (other, other_line) in &self.0 {
            let clash = if other.name == app.name {
                Some((name_at.span.clone(), "two apps of one name".to_owned()))
            } else if other.id == app.id {
                let same = format!("id {} belongs to {:?} already", app.id, other.name);
                Some((id_at.clone(), same))
            } else {
                None
            };
            if let Some((span, what)) = clash {
                let text =
                    format!("{what} (line {other_line}); give one of them another `id` or name");
                return Err(complain(Problem { span, text }));
            }
        }
        self.0.push((app, line(text, span.start)));
        Ok(())
    }

    /// All apps, the desktop first where it is wanted and not among them; nothing for none.
    fn finish(self, desktop: bool) -> Option<Vec<App>> {
        let mut apps: Vec<App> = self.0.into_iter().map(|(app, _)| app).collect();
        let desk = App::desktop();
        // Its id may be taken by an owner who likes the number; then that app stands in for it.
        let there = apps
            .iter()
            .any(|app| app.name == DESKTOP || app.id == desk.id);
        if desktop && !there {
            apps.insert(0, desk);
        }
        (!apps.is_empty()).then_some(apps)
    }
}

/// What to call an app in a complaint: by its name, or by its place where it has none.
fn title(table: &DeTable<'_>, index: usize) -> String {
    let name = table.get("name").and_then(|name| name.get_ref().as_str());
    let name = name.filter(|name| name.chars().count() <= MAX_NAME_CHARS);
    name.map_or_else(
        || format!("number {}", index + 1),
        |name| format!("{name:?}"),
    )
}

fn app(entry: Entry) -> Result<App, Problem> {
    let id = entry.id.as_ref().map(id).transpose()?;
    let name = name(entry.name)?;
    let seconds = |value: Option<&Spanned<i64>>, allowed, otherwise| {
        let value = value.map(|value| seconds(value, &allowed)).transpose()?;
        Ok(value.unwrap_or(otherwise))
    };
    Ok(App {
        id: id.unwrap_or_else(|| AppId::of_name(&name)),
        name,
        command: entry.command.map(command).transpose()?,
        directory: entry.directory.map(path).transpose()?,
        env: variables(entry.env)?,
        prep: preps(entry.prep)?,
        image: entry.image.map(path).transpose()?,
        linger: entry.linger.map(linger).transpose()?,
        grace: seconds(entry.grace.as_ref(), GRACE_S, DEFAULT_GRACE)?,
        settle: seconds(entry.settle.as_ref(), SETTLE_S, DEFAULT_SETTLE)?,
    })
}

fn id(written: &Spanned<i64>) -> Result<AppId, Problem> {
    let id = i32::try_from(*written.get_ref()).ok().and_then(AppId::new);
    id.ok_or_else(|| {
        let text = format!("is {}; allowed: 1 to {}", written.get_ref(), i32::MAX);
        Problem::at(written, text)
    })
}

fn name(written: Spanned<String>) -> Result<String, Problem> {
    let text = written.get_ref();
    let good = !text.is_empty()
        && text.trim() == text
        && text.chars().count() <= MAX_NAME_CHARS
        && !text.chars().any(char::is_control);
    if !good {
        let allowed = format!(
            "allowed: 1 to {MAX_NAME_CHARS} characters, none of them a control character, \
             no space at either end"
        );
        return Err(Problem::at(&written, allowed));
    }
    Ok(written.into_inner())
}

fn seconds(written: &Spanned<i64>, allowed: &RangeInclusive<u32>) -> Result<Duration, Problem> {
    let seconds = u32::try_from(*written.get_ref()).ok();
    let seconds = seconds.filter(|seconds| allowed.contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        let (low, high) = (allowed.start(), allowed.end());
        let text = format!("is {}; allowed: {low} to {high} seconds", written.get_ref());
        Problem::at(written, text)
    })?;
    Ok(Duration::from_secs(u64::from(seconds)))
}

fn linger(written: Spanned<LingerEntry>) -> Result<Linger, Problem> {
    let out_of_range = Problem::at(&written, format!("allowed: {}", Linger::ALLOWED));
    written.into_inner().0.ok_or(out_of_range)
}

fn command(written: Spanned<Words>) -> Result<CommandLine, Problem> {
    let span = written.span();
    let complain = |text: &str| Problem {
        span: span.clone(),
        text: text.to_owned(),
    };
    let words = match written.into_inner() {
        Words::List(words) => words,
        Words::Line(text) => {
            let words = shlex::split(&text);
            let words = words.ok_or_else(|| complain("a quotation is not closed"))?;
            if let Some(word) = words
                .iter()
                .find(|word| SHELL_WORDS.contains(&word.as_str()))
            {
                let text = format!(
                    "no shell reads this, so `{word}` would be an argument; \
                     write [\"sh\", \"-c\", \"...\"] to have one"
                );
                return Err(complain(&text));
            }
            words
        }
    };
    if words.iter().any(|word| word.contains('\0')) {
        return Err(complain("a NUL character is not allowed"));
    }
    if words.len() > MAX_ARGUMENTS {
        return Err(complain("too many arguments; allowed: at most 1023"));
    }
    let mut words = words.into_iter();
    let program = words.next().filter(|program| !program.is_empty());
    Ok(CommandLine {
        program: program.ok_or_else(|| complain("is empty; leave it out to run nothing"))?,
        arguments: words.collect(),
    })
}

fn path(written: Spanned<String>) -> Result<PathBuf, Problem> {
    let text = written.get_ref();
    if text.is_empty() || text.contains('\0') {
        return Err(Problem::at(
            &written,
            "allowed: a path, absolute or from the folder of this file",
        ));
    }
    if text == "~" || text.starts_with("~/") {
        return Err(Problem::at(
            &written,
            "no shell reads this, so write out what `~` stands for",
        ));
    }
    Ok(PathBuf::from(written.into_inner()))
}

fn variables(
    written: BTreeMap<String, Spanned<String>>,
) -> Result<BTreeMap<String, String>, Problem> {
    let mut variables = BTreeMap::new();
    for (index, (name, value)) in written.into_iter().enumerate() {
        if index >= MAX_VARIABLES {
            let text = format!("too many variables; allowed: at most {MAX_VARIABLES}");
            return Err(Problem::at(&value, text));
        }
        if name.is_empty() || name.contains(['=', '\0']) || value.get_ref().contains('\0') {
            let text = "allowed: a name without `=`, and no NUL character in name or value";
            return Err(Problem::at(&value, text));
        }
        variables.insert(name, value.into_inner());
    }
    Ok(variables)
}

fn preps(written: Vec<Spanned<PrepEntry>>) -> Result<Vec<Prep>, Problem> {
    if let Some(beyond) = written.get(MAX_PREP) {
        let text = format!("too many preparations; allowed: at most {MAX_PREP}");
        return Err(Problem::at(beyond, text));
    }
    let prep = |entry: Spanned<PrepEntry>| {
        let empty = Problem::at(&entry, "has neither `do` nor `undo`");
        let entry = entry.into_inner();
        if entry.r#do.is_none() && entry.undo.is_none() {
            return Err(empty);
        }
        let limit = entry.limit.map(|limit| seconds(&limit, &LIMIT_S));
        Ok(Prep {
            do_command: entry.r#do.map(command).transpose()?,
            undo_command: entry.undo.map(command).transpose()?,
            limit: limit
                .transpose()?
                .unwrap_or(Duration::from_secs(u64::from(DEFAULT_LIMIT_S))),
        })
    };
    written.into_iter().map(prep).collect()
}
