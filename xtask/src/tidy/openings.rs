//! Every Rust file opens with `//!`: what it owns and what it refuses.

use super::Finding;
use super::sources::SourceFile;

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let first = file.text.lines().find(|line| !line.trim().is_empty());
    if first.is_some_and(|line| line.starts_with("//!")) {
        return Vec::new();
    }
    let message = "does not open with `//!`: say in 1-3 sentences what this file owns and refuses";
    vec![Finding::new(&file.path, 1, message)]
}

#[cfg(test)]
mod tests {
    //! Openings, good and bad.

    use super::*;

    #[test]
    fn only_an_inner_doc_comment_opens_a_file() {
        let count = |text| check(&SourceFile::sample("src/lib.rs", text)).len();
        assert_eq!(count("//! Owns it.\n"), 0);
        assert_eq!(count("\n//! Owns it.\n"), 0);
        assert_eq!(count("// Owns it.\n"), 1);
        assert_eq!(count("#![no_main]\n//! Owns it.\n"), 1);
        assert_eq!(count("fn main() {}\n//! Late.\n"), 1);
        assert_eq!(count(""), 1);
    }
}
