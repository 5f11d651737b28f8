//! Names that say nothing are refused: whatever is put under one of them belongs elsewhere.

use super::Finding;
use super::sources::{RustFile, SourceFile};
use super::tokens::positions;

const EMPTY_NAMES: &[&str] = &["utils", "common", "helpers", "manager"];

fn finding(path: &str, line: usize, name: &str) -> Finding {
    let message = format!("`{name}` says nothing: name it after the one thing that it owns");
    Finding::new(path, line, message)
}

pub(super) fn of_file(file: &SourceFile) -> Vec<Finding> {
    let names = file.folders().chain([file.stem()]);
    names
        .filter(|name| EMPTY_NAMES.contains(name))
        .map(|name| finding(&file.path, 1, name))
        .collect()
}

/// Modules written out in a file; others are files, and found as such.
pub(super) fn of_modules(file: &RustFile<'_>) -> Vec<Finding> {
    let inline = |name| {
        let places = positions(&file.tokens, &["mod", name, "{"]);
        places.into_iter().map(move |at| (at, name))
    };
    let found = EMPTY_NAMES.iter().flat_map(|name| inline(name));
    found
        .map(|(at, name)| finding(&file.file.path, file.tokens[at].line, name))
        .collect()
}

#[cfg(test)]
mod tests {
    //! Files, folders and modules.

    use super::*;

    #[test]
    fn files_and_folders_need_names() {
        let count = |path| of_file(&SourceFile::sample(path, "")).len();
        assert_eq!(count("crates/a/src/utils.rs"), 1);
        assert_eq!(count("crates/a/tests/common/mod.rs"), 1);
        assert_eq!(count("crates/helpers/src/manager.rs"), 2);
        assert_eq!(count("web/src/utils.ts"), 1);
        assert_eq!(count("crates/a/src/common_clock.rs"), 0);
    }

    #[test]
    fn inline_modules_need_names() {
        let text = "//! mod utils {\nmod a {\n    mod helpers { }\n}\nmod common;\n";
        let file = SourceFile::sample("src/lib.rs", text);
        let found = of_modules(&RustFile::parse(&file).expect("parses"));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [3]);
    }
}
