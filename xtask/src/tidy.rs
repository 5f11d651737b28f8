//! `cargo xtask tidy`: the rules of the code that the compiler does not know. Each rule is a
//! module that turns a file, or the crates, into findings; this one runs them all.

mod arrows;
mod env_reads;
mod links;
mod marks;
mod names;
mod openings;
mod sizes;
mod sources;
mod tokens;
mod unsafety;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use sources::{Kind, RustFile, SourceFile};

/// One place that breaks a rule, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// From the workspace root.
    path: String,
    /// From 1.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Why the rules could not be checked at all.
#[derive(Debug, thiserror::Error)]
enum TidyError {
    #[error("cannot read {path}: {source}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("cannot run cargo metadata: {0}")]
    Cargo(std::io::Error),
    #[error("cargo metadata failed: {0}")]
    Metadata(String),
    #[error("cargo metadata is not what it used to be: {0}")]
    Format(#[from] serde_json::Error),
}

/// Prints what is wrong below `root`; fails if anything is.
pub(crate) fn run(root: &Path) -> ExitCode {
    match findings(root) {
        Ok((files, findings)) if findings.is_empty() => {
            println!("tidy: {files} files, nothing to mend");
            ExitCode::SUCCESS
        }
        Ok((files, findings)) => {
            for finding in &findings {
                println!("{finding}");
            }
            println!("tidy: {files} files, {} to mend", findings.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("tidy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many files were read, and everything that is wrong, in the order of the files.
fn findings(root: &Path) -> Result<(usize, Vec<Finding>), TidyError> {
    let sources = sources::read_below(root)?;
    let mut findings = arrows::check(&arrows::workspace(root)?);
    for file in &sources {
        findings.extend(check_file(file, root));
    }
    findings.sort();
    Ok((sources.len(), findings))
}

fn check_file(file: &SourceFile, root: &Path) -> Vec<Finding> {
    let mut findings = marks::unfinished(file);
    match file.kind {
        Kind::Rust => findings.extend(check_rust(file)),
        Kind::Page => {
            findings.extend(sizes::of_file(file));
            findings.extend(names::of_file(file));
        }
        Kind::Markdown => findings.extend(links::check(file, root)),
        Kind::Other => {}
    }
    findings
}

fn check_rust(file: &SourceFile) -> Vec<Finding> {
    let mut findings = [
        sizes::of_file(file),
        names::of_file(file),
        openings::check(file),
    ]
    .concat();
    match RustFile::parse(file) {
        Ok(parsed) => findings.extend(
            [
                sizes::of_functions(&parsed),
                names::of_modules(&parsed),
                unsafety::check(&parsed),
                env_reads::check(&parsed),
                marks::ignored(&parsed),
            ]
            .concat(),
        ),
        Err(finding) => findings.push(finding),
    }
    findings
}

#[cfg(test)]
mod tests {
    //! The rules together, on a small tree and on this workspace.

    use super::*;

    #[test]
    fn findings_come_with_place_and_remedy() {
        let finding = Finding::new("crates/a/src/lib.rs", 3, "too long: split it");
        assert_eq!(
            finding.to_string(),
            "crates/a/src/lib.rs:3: too long: split it"
        );
    }

    #[test]
    fn a_file_that_does_not_parse_is_a_finding() {
        let file = SourceFile::sample("crates/a/src/lib.rs", "//! Broken.\nfn main( {}\n");
        let findings = check_rust(&file);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].message.contains("does not parse"));
    }

    #[test]
    fn a_clean_file_has_no_findings() {
        let text = "//! Owns one number.\n\n/// The number.\npub const N: u8 = 1;\n";
        let file = SourceFile::sample("crates/a/src/lib.rs", text);
        assert_eq!(check_file(&file, Path::new(".")), []);
    }
}
