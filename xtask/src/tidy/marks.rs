//! Nothing is left half done: no marks of unfinished work, no test that is ignored without saying
//! why.

use super::Finding;
use super::sources::{Kind, RustFile, SourceFile};
use super::tokens::positions;

/// In two parts, so that this file does not contain them.
const MARKS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Marks of unfinished work in anything but documents.
pub(super) fn unfinished(file: &SourceFile) -> Vec<Finding> {
    if file.kind == Kind::Markdown {
        return Vec::new();
    }
    let marked = |(index, line): (usize, &str)| {
        let mark = MARKS.iter().find(|mark| has_word(line, mark))?;
        let message = format!("`{mark}` left behind: finish it, or write it up where work is kept");
        Some(Finding::new(&file.path, index + 1, message))
    };
    file.text.lines().enumerate().filter_map(marked).collect()
}

/// Whether `word` stands in `line` by itself, not as part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

/// `#[ignore]` without a reason, also as `#[cfg_attr(…, ignore)]`.
pub(super) fn ignored(file: &RustFile<'_>) -> Vec<Finding> {
    let plain = positions(&file.tokens, &["#", "[", "ignore", "]"]);
    let conditional = positions(&file.tokens, &[",", "ignore", ")", "]"]);
    let places = plain.into_iter().chain(conditional);
    places
        .map(|at| {
            let message = "ignored test without a reason: write `#[ignore = \"why\"]`, or mend it";
            Finding::new(&file.file.path, file.tokens[at].line, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    //! Marks and ignored tests.

    use super::*;

    #[test]
    fn marks_are_whole_words() {
        for mark in MARKS {
            let text = format!("//! Fine.\nfn f() {{}} // {mark}: later\n");
            let found = unfinished(&SourceFile::sample("src/lib.rs", &text));
            assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [2]);

            for part in [format!("{mark}X"), format!("A{mark}"), mark.to_lowercase()] {
                let found = unfinished(&SourceFile::sample("run.sh", &part));
                assert_eq!(found, [], "{part}");
            }
        }
    }

    #[test]
    fn documents_may_speak_of_them() {
        let file = SourceFile::sample("README.md", MARKS[0]);
        assert_eq!(unfinished(&file), []);
    }

    #[test]
    fn an_ignored_test_says_why() {
        let count = |text| {
            let file = SourceFile::sample("src/lib.rs", text);
            ignored(&RustFile::parse(&file).expect("parses")).len()
        };
        assert_eq!(count("#[test]\n#[ignore]\nfn f() {}"), 1);
        assert_eq!(count("#[cfg_attr(miri, ignore)]\nfn f() {}"), 1);
        assert_eq!(count("#[ignore = \"needs a GPU\"]\nfn f() {}"), 0);
        assert_eq!(count("fn f() { ignore(); g(a, ignore) }"), 0);
    }
}
