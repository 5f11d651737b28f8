//! Who may depend on whom: each crate has a level, and uses only lower ones. The table here is the
//! whole truth; a crate that is not in it has no place yet.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::{Finding, TidyError};

/// The crates from the bottom up. Those of one level do not know each other.
const LEVELS: &[&[&str]] = &[
    &["media", "control-api"],
    &["events", "net", "private-file"],
    &[
        "gamestream-proto",
        "apps",
        "capture",
        "encode",
        "input",
        "audio",
        "jetkvm",
    ],
    &["pipeline"],
    &["gamestream", "webrtc", "stats", "console", "probe"],
    &["sessions"],
    &["control"],
    &["host", "bench"],
    &["heliostat"],
];

/// Crates of level 0 by how their names begin.
const FFI_PREFIX: &str = "ffi-";

/// What only tests, benches and chores use; it may use anything.
const DEV_ONLY: &[&str] = &["sim", "linkem", "e2e", "fuzz-entries", "xtask"];

/// The workspace as cargo tells it, and where each crate's manifest lies.
#[derive(Debug)]
pub(super) struct Workspace {
    crates: Vec<Crate>,
}

#[derive(Debug)]
struct Crate {
    name: String,
    manifest: Manifest,
    dependencies: Vec<Dependency>,
}

#[derive(Debug)]
struct Manifest {
    /// From the workspace root.
    path: String,
    text: String,
}

impl Manifest {
    /// Where a dependency stands: its line, or the first where it is written another way.
    fn line_of(&self, dependency: &str) -> usize {
        let starts = |line: &str| {
            let rest = line.trim_start().strip_prefix(dependency);
            rest.is_some_and(|rest| rest.starts_with([' ', '.', '=']))
        };
        1 + self.text.lines().position(starts).unwrap_or(0)
    }
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// Absent for an ordinary one.
    kind: Option<String>,
}

/// Asks cargo for the crates below `root`.
pub(super) fn workspace(root: &Path) -> Result<Workspace, TidyError> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(TidyError::Cargo)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(TidyError::Metadata(said));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let crates = metadata.packages.into_iter().map(|package| {
        let absolute = Path::new(&package.manifest_path);
        let path = absolute.strip_prefix(root).unwrap_or(absolute);
        let path = path.to_string_lossy().into_owned();
        let text = fs::read_to_string(absolute);
        let text = text.map_err(|source| TidyError::Read {
            path: path.clone(),
            source,
        })?;
        Ok(Crate {
            name: package.name,
            manifest: Manifest { path, text },
            dependencies: package.dependencies,
        })
    });
    Ok(Workspace {
        crates: crates.collect::<Result<_, TidyError>>()?,
    })
}

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let names: Vec<&str> = workspace.crates.iter().map(|c| c.name.as_str()).collect();
    for from in &workspace.crates {
        if !DEV_ONLY.contains(&from.name.as_str()) && level(&from.name).is_none() {
            let message = format!(
                "`{}` has no level: add it to the table in xtask/src/tidy/arrows.rs",
                from.name
            );
            findings.push(Finding::new(&from.manifest.path, 1, message));
        }
        let arrows = from.dependencies.iter().filter(|dependency| {
            dependency.kind.as_deref() != Some("dev") && names.contains(&dependency.name.as_str())
        });
        for to in arrows {
            if let Some(message) = objection(&from.name, &to.name) {
                let line = from.manifest.line_of(&to.name);
                findings.push(Finding::new(&from.manifest.path, line, message));
            }
        }
    }
    findings
}

fn level(name: &str) -> Option<usize> {
    if name.starts_with(FFI_PREFIX) {
        return Some(0);
    }
    LEVELS.iter().position(|names| names.contains(&name))
}

/// What is wrong with `from` using `to`; nothing where a level is unknown, which is told apart.
fn objection(from: &str, to: &str) -> Option<String> {
    if DEV_ONLY.contains(&from) {
        return None;
    }
    if DEV_ONLY.contains(&to) {
        return Some(format!(
            "`{to}` is for tests only: move it to [dev-dependencies]"
        ));
    }
    let (from_level, to_level) = (level(from)?, level(to)?);
    if to_level < from_level {
        return None;
    }
    Some(format!(
        "`{from}` (level {from_level}) uses `{to}` (level {to_level}), and crates use lower levels \
         only: move what is shared down, or let a higher crate join the two"
    ))
}

#[cfg(test)]
mod tests {
    //! Arrows on sample workspaces, and the table against itself.

    use super::*;

    /// A crate with these dependencies, each with its kind.
    fn sample(name: &str, dependencies: &[(&str, &str)]) -> Crate {
        let path = format!("crates/{name}/Cargo.toml");
        let listed = dependencies
            .iter()
            .map(|(to, _)| format!("{to}.workspace = true\n"));
        let text = format!(
            "[package]\n\n[dependencies]\n{}",
            listed.collect::<String>()
        );
        let dependency = |(to, kind): &(&str, &str)| Dependency {
            name: (*to).to_owned(),
            kind: (!kind.is_empty()).then(|| (*kind).to_owned()),
        };
        Crate {
            name: name.to_owned(),
            manifest: Manifest { path, text },
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    /// What is said of `from` with these dependencies, where every crate exists.
    fn findings(from: &str, dependencies: &[(&str, &str)]) -> Vec<Finding> {
        let known = LEVELS.iter().flat_map(|names| names.iter());
        let others = known.chain(DEV_ONLY).chain(&["ffi-x264"]);
        let others = others.filter(|name| **name != from);
        let mut crates: Vec<Crate> = others.map(|name| sample(name, &[])).collect();
        crates.push(sample(from, dependencies));
        check(&Workspace { crates })
    }

    #[test]
    fn lower_levels_and_strangers_may_be_used() {
        let allowed = [
            ("media", ""),
            ("events", ""),
            ("ffi-x264", ""),
            ("serde", ""),
        ];
        assert_eq!(findings("encode", &allowed), []);
        assert_eq!(findings("events", &[("media", "build")]), []);
    }

    #[test]
    fn neighbours_and_higher_levels_may_not() {
        let found = findings("encode", &[("media", ""), ("capture", "")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, "crates/encode/Cargo.toml");
        assert_eq!(found[0].line, 5);
        assert!(found[0].message.contains("`capture` (level 2)"));
        assert_eq!(findings("encode", &[("host", "build")]).len(), 1);
        assert_eq!(findings("ffi-x264", &[("media", "")]).len(), 1);
    }

    #[test]
    fn the_front_door_stands_on_sessions_and_they_on_the_stream() {
        assert_eq!(findings("control", &[("sessions", ""), ("jetkvm", "")]), []);
        assert_eq!(findings("sessions", &[("webrtc", ""), ("stats", "")]), []);
        assert_eq!(findings("sessions", &[("control", "")]).len(), 1);
        assert_eq!(findings("webrtc", &[("sessions", "")]).len(), 1);
    }

    #[test]
    fn tests_may_use_anything_and_nothing_else_may_use_tests() {
        assert_eq!(findings("media", &[("host", "dev"), ("sim", "dev")]), []);
        assert_eq!(findings("e2e", &[("heliostat", ""), ("linkem", "")]), []);
        let found = findings("host", &[("linkem", "")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("[dev-dependencies]"));
    }

    #[test]
    fn a_crate_without_a_level_must_get_one() {
        let found = findings("surprise", &[("media", "")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("xtask/src/tidy/arrows.rs"));
    }

    #[test]
    fn cargo_tells_of_this_workspace() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = workspace(here.parent().expect("a parent")).expect("metadata");
        let this = workspace
            .crates
            .iter()
            .find(|c| c.name == "xtask")
            .expect("this crate");
        assert_eq!(this.manifest.path, "xtask/Cargo.toml");
        assert!(this.manifest.line_of("serde") > 1);
    }
}
