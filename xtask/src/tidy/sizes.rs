//! Functions and files stay short enough to be read whole.

use syn::visit::{self, Visit};

use super::Finding;
use super::sources::{RustFile, SourceFile};

const MAX_FILE_LINES: usize = 800;
/// From `fn` to the closing brace.
const MAX_FUNCTION_LINES: usize = 70;

pub(super) fn of_file(file: &SourceFile) -> Vec<Finding> {
    let lines = file.text.lines().count();
    if lines <= MAX_FILE_LINES {
        return Vec::new();
    }
    let message =
        format!("{lines} lines; a file has at most {MAX_FILE_LINES}: split it by concept");
    vec![Finding::new(&file.path, MAX_FILE_LINES + 1, message)]
}

pub(super) fn of_functions(file: &RustFile<'_>) -> Vec<Finding> {
    let mut functions = Functions {
        path: &file.file.path,
        findings: Vec::new(),
    };
    functions.visit_file(&file.syntax);
    functions.findings
}

struct Functions<'a> {
    path: &'a str,
    findings: Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        let lines = last - first + 1;
        if lines > MAX_FUNCTION_LINES {
            let name = &signature.ident;
            let message = format!(
                "`{name}` has {lines} lines; a function has at most {MAX_FUNCTION_LINES}: \
                 give a part of it a name"
            );
            self.findings.push(Finding::new(self.path, first, message));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    //! The limits, at their edges.

    use super::*;

    const NONE: [usize; 0] = [];

    /// A function of this many lines.
    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    work();\n".repeat(lines - 2))
    }

    fn lines_of_findings(text: &str) -> Vec<usize> {
        let file = SourceFile::sample("src/lib.rs", text);
        let parsed = RustFile::parse(&file).expect("parses");
        of_functions(&parsed).iter().map(|f| f.line).collect()
    }

    #[test]
    fn a_function_may_have_70_lines() {
        assert_eq!(lines_of_findings(&function(70)), NONE);
        assert_eq!(lines_of_findings(&function(71)), [1]);
    }

    #[test]
    fn attributes_and_docs_do_not_count() {
        let documented = format!(
            "/// Says.\n{}#[inline]\n{}",
            "/// More.\n".repeat(9),
            function(70)
        );
        assert_eq!(lines_of_findings(&documented), NONE);
    }

    #[test]
    fn functions_are_found_wherever_they_are() {
        let long = function(71);
        for (opening, line) in [
            ("struct S;\nimpl S {\n", 3),
            ("trait T {\n", 2),
            ("mod inner {\n", 2),
            ("fn outer() {\n", 2),
        ] {
            let found = lines_of_findings(&format!("{opening}{long}}}\n"));
            assert!(found.contains(&line), "{opening}: {found:?}");
        }
    }

    #[test]
    fn a_file_may_have_800_lines() {
        let count = |lines| {
            let text = "//\n".repeat(lines);
            of_file(&SourceFile::sample("web/src/main.ts", &text)).len()
        };
        assert_eq!(count(800), 0);
        assert_eq!(count(801), 1);
    }
}
