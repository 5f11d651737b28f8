//! The files that have rules: found below the root, read once, Rust parsed once for all rules.
//! Build outputs and what others wrote are left out.

use std::fs;
use std::path::Path;

use super::tokens::{self, Token};
use super::{Finding, TidyError};

/// Folders that hold nothing of ours.
const SKIPPED: &[&str] = &["target", "node_modules", "dist", "corpus", "artifacts"];

/// What rules a file is under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rust,
    /// TypeScript of the page.
    Page,
    /// A document: at the root or below `docs`.
    Markdown,
    /// Only looked at for unfinished marks.
    Other,
}

/// A file as text.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// From the workspace root, with slashes.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl SourceFile {
    /// The name without its ending.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    /// The folders above the file, from the root.
    pub(super) fn folders(&self) -> impl Iterator<Item = &str> {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        folder.split('/').filter(|name| !name.is_empty())
    }

    /// A file that only a test has.
    #[cfg(test)]
    pub(super) fn sample(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            kind: kind_of(path).expect("a path with rules"),
            text: text.to_owned(),
        }
    }
}

/// A Rust file with what the rules look at.
pub(super) struct RustFile<'a> {
    pub(super) file: &'a SourceFile,
    pub(super) syntax: syn::File,
    pub(super) tokens: Vec<Token>,
}

impl<'a> RustFile<'a> {
    /// Parses the file, or says where it cannot be parsed.
    pub(super) fn parse(file: &'a SourceFile) -> Result<Self, Finding> {
        let broken = |line, error: &dyn std::fmt::Display| {
            Finding::new(&file.path, line, format!("does not parse: {error}"))
        };
        let stream: proc_macro2::TokenStream = file
            .text
            .parse()
            .map_err(|error: proc_macro2::LexError| broken(error.span().start().line, &error))?;
        let tokens = tokens::flatten(stream.clone());
        let syntax = syn::parse2(stream)
            .map_err(|error: syn::Error| broken(error.span().start().line, &error))?;
        Ok(Self {
            file,
            syntax,
            tokens,
        })
    }

    /// Whether the whole file is test code.
    pub(super) fn is_test(&self) -> bool {
        let mut folders = self.file.folders();
        self.file.stem() == "tests" || folders.any(|name| ["tests", "benches"].contains(&name))
    }
}

/// Reads every file with rules below `root`.
pub(super) fn read_below(root: &Path) -> Result<Vec<SourceFile>, TidyError> {
    let mut files = Vec::new();
    read_folder(root, "", &mut files)?;
    Ok(files)
}

fn read_folder(root: &Path, folder: &str, files: &mut Vec<SourceFile>) -> Result<(), TidyError> {
    let failed = |path: &str, source| TidyError::Read {
        path: path.to_owned(),
        source,
    };
    let entries = fs::read_dir(root.join(folder)).map_err(|error| failed(folder, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| failed(folder, error))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = match folder {
            "" => name.clone(),
            _ => format!("{folder}/{name}"),
        };
        let file_type = entry.file_type().map_err(|error| failed(&path, error))?;
        if file_type.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                read_folder(root, &path, files)?;
            }
        } else if file_type.is_file()
            && let Some(kind) = kind_of(&path)
        {
            let text = fs::read_to_string(entry.path()).map_err(|error| failed(&path, error))?;
            files.push(SourceFile { path, kind, text });
        }
    }
    Ok(())
}

/// The rules for a path; `None` for what has none.
fn kind_of(path: &str) -> Option<Kind> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "rs" => Some(Kind::Rust),
        "ts" if path.starts_with("web/src/") => Some(Kind::Page),
        "md" if folder.is_empty() || path.starts_with("docs/") => Some(Kind::Markdown),
        "ts" | "mjs" | "js" | "css" | "html" | "sh" | "toml" => Some(Kind::Other),
        _ => (name == "Makefile").then_some(Kind::Other),
    }
}

#[cfg(test)]
mod tests {
    //! Which files are read.

    use super::*;

    #[test]
    fn paths_decide_the_rules() {
        let cases = [
            ("crates/a/src/lib.rs", Some(Kind::Rust)),
            ("fuzz/fuzz_targets/offer.rs", Some(Kind::Rust)),
            ("web/src/main.ts", Some(Kind::Page)),
            ("web/vite.config.ts", Some(Kind::Other)),
            ("README.md", Some(Kind::Markdown)),
            ("docs/guide/start.md", Some(Kind::Markdown)),
            ("crates/a/NOTES.md", None),
            ("Makefile", Some(Kind::Other)),
            ("Cargo.lock", None),
        ];
        for (path, kind) in cases {
            assert_eq!(kind_of(path), kind, "{path}");
        }
    }

    #[test]
    fn outputs_and_foreign_code_are_left_out() {
        let root = tempfile::tempdir().expect("a folder");
        for path in [
            "crates/a/src/lib.rs",
            "target/debug/build/out.rs",
            "fuzz/target/x.rs",
            "web/node_modules/m/index.ts",
            ".git/hooks/x.sh",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, "").expect("written");
        }
        let found = read_below(root.path()).expect("read");
        let paths: Vec<&str> = found.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["crates/a/src/lib.rs"]);
    }

    #[test]
    fn test_code_is_told_by_its_place() {
        let is_test = |path| {
            let file = SourceFile::sample(path, "");
            RustFile::parse(&file).expect("parses").is_test()
        };
        assert!(is_test("crates/a/tests/all.rs"));
        assert!(is_test("crates/a/src/path/tests.rs"));
        assert!(!is_test("crates/a/src/testing.rs"));
    }
}
