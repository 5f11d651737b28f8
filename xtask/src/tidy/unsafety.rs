//! `unsafe` is written only in the `ffi-*` crates, and there each block and impl says before it
//! why it is sound.

use super::Finding;
use super::sources::RustFile;

pub(super) fn check(file: &RustFile<'_>) -> Vec<Finding> {
    let path = &file.file.path;
    let lines: Vec<&str> = file.file.text.lines().collect();
    let following = file.tokens.iter().skip(1).map(Some).chain([None]);
    let uses = file.tokens.iter().zip(following);
    uses.filter(|(token, _)| token.text == "unsafe")
        .filter_map(|(token, next)| {
            let message = if !path.starts_with("crates/ffi-") {
                "`unsafe` outside an ffi crate: use a safe library, or put it into crates/ffi-*"
            } else if next.is_some_and(|next| ["{", "impl"].contains(&next.text.as_str()))
                && !has_safety_note(&lines, token.line)
            {
                "`unsafe` without its reason: put a `// SAFETY:` comment right before it"
            } else {
                return None;
            };
            Some(Finding::new(path, token.line, message))
        })
        .collect()
}

/// Whether a comment with `SAFETY:` stands before the statement that reaches `line` (from 1).
fn has_safety_note(lines: &[&str], line: usize) -> bool {
    for above in lines[..line - 1].iter().rev().map(|line| line.trim()) {
        if let Some(comment) = above.strip_prefix("//") {
            if comment.contains("SAFETY:") {
                return true;
            }
        } else if above.is_empty() || above.ends_with([';', '{', '}']) {
            // The statement began below here.
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    //! Where it may be written and what it must say.

    use super::super::sources::SourceFile;
    use super::*;

    const NONE: [usize; 0] = [];

    fn lines_of_findings(path: &str, text: &str) -> Vec<usize> {
        let file = SourceFile::sample(path, text);
        let parsed = RustFile::parse(&file).expect("parses");
        check(&parsed).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn the_keyword_is_for_ffi_crates_only() {
        let path = "crates/media/src/lib.rs";
        for text in [
            "fn f() {\n    unsafe { g() }\n}",
            "struct S;\nunsafe impl Send for S {}",
            "\nunsafe fn f() {}",
            "\n#[unsafe(no_mangle)]\npub fn f() {}",
            "\nunsafe extern \"C\" {}",
            "\nm! { unsafe { g() } }",
        ] {
            assert_eq!(lines_of_findings(path, text), [2], "{text}");
        }
        let words = "//! No unsafe code.\n#![forbid(unsafe_code)]\nconst S: &str = \"unsafe\";";
        assert_eq!(lines_of_findings(path, words), NONE);
    }

    #[test]
    fn in_ffi_crates_each_block_and_impl_has_its_note() {
        let path = "crates/ffi-x264/src/lib.rs";
        for text in [
            "fn f() {\n    // SAFETY: g is pure.\n    unsafe { g() }\n}",
            "// SAFETY: no pointer\n// is shared.\nunsafe impl Send for S {}",
            "fn f() {\n    // SAFETY: g is pure.\n    let x =\n        unsafe { g() };\n}",
            "// SAFETY: plain data.\n#[allow(x)]\nunsafe impl Sync for S {}",
            "unsafe fn declared() {}",
            "unsafe extern \"C\" {\n    fn g();\n}",
        ] {
            assert_eq!(lines_of_findings(path, text), NONE, "{text}");
        }
        for text in [
            "fn f() {\n    unsafe { g() }\n}",
            "// Sound.\nunsafe impl Send for S {}",
            "fn f() { // SAFETY: g is pure.\n    unsafe { g() }\n}",
        ] {
            assert_eq!(lines_of_findings(path, text), [2], "{text}");
        }
        let stale = "// SAFETY: for a.\nlet a = unsafe { g() };\nlet b = unsafe { h() };";
        let stale = format!("fn f() {{\n{stale}\n}}");
        assert_eq!(lines_of_findings(path, &stale), [4]);
    }
}
