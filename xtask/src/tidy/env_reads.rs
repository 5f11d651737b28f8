//! The environment is read in the configuration and nowhere else, so that what a process does can
//! be told from its configuration alone. Tests and build scripts are free.

use super::Finding;
use super::sources::RustFile;
use super::tokens::{Token, positions};

const READS: &[&str] = &["var", "var_os", "vars", "vars_os"];

pub(super) fn check(file: &RustFile<'_>) -> Vec<Finding> {
    if may_read(file) {
        return Vec::new();
    }
    let after_env = positions(&file.tokens, &["env", ":", ":"]);
    let reads = after_env
        .into_iter()
        .filter(|at| reads_after(&file.tokens[at + 3..]));
    reads
        .map(|at| &file.tokens[at])
        .filter(|token| !token.in_test)
        .map(|token| {
            let message = "reads the environment: make it a setting, read in the config module";
            Finding::new(&file.file.path, token.line, message)
        })
        .collect()
}

fn may_read(file: &RustFile<'_>) -> bool {
    let mut folders = file.file.folders();
    let stem = file.file.stem();
    file.is_test()
        || stem == "config"
        || stem == "build"
        || folders.any(|name| ["config", "e2e"].contains(&name))
}

/// Whether what follows `env::` is a read, or a list of imports with one.
fn reads_after(tokens: &[Token]) -> bool {
    let is_read = |token: &Token| READS.contains(&token.text.as_str());
    match tokens.first() {
        Some(brace) if brace.text == "{" => {
            tokens.iter().take_while(|t| t.text != "}").any(is_read)
        }
        first => first.is_some_and(is_read),
    }
}

#[cfg(test)]
mod tests {
    //! Reads in their disguises, and places that may read.

    use super::super::sources::SourceFile;
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        let file = SourceFile::sample(path, text);
        check(&RustFile::parse(&file).expect("parses")).len()
    }

    #[test]
    fn reads_are_found_however_they_are_written() {
        for text in [
            "fn f() { let _ = std::env::var(\"X\"); }",
            "use std::env;\nfn f() { env::var_os(\"X\"); }",
            "use std::env::vars;",
            "use std::env::{args, var};",
            "fn f() { println!(\"{:?}\", std::env::var(\"X\")); }",
        ] {
            assert_eq!(count("crates/a/src/lib.rs", text), 1, "{text}");
        }
    }

    #[test]
    fn other_uses_and_other_places_are_free() {
        let read = "fn f() { let _ = std::env::var(\"X\"); }";
        for path in [
            "crates/host/src/config.rs",
            "crates/host/src/config/file.rs",
            "crates/a/tests/all.rs",
            "crates/a/src/x/tests.rs",
            "crates/a/build.rs",
            "e2e/src/main.rs",
        ] {
            assert_eq!(count(path, read), 0, "{path}");
        }
        for text in [
            "fn f() { std::env::args(); }",
            "const VERSION: &str = env!(\"CARGO_PKG_VERSION\");",
            "// std::env::var\n",
            "#[cfg(test)] mod tests { fn f() { std::env::var(\"X\"); } }",
        ] {
            assert_eq!(count("crates/a/src/lib.rs", text), 0, "{text}");
        }
    }
}
