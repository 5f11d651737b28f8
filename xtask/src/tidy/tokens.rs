//! Rust as a flat list of tokens with lines, comments gone and literals told apart, so that rules
//! can look for sequences also inside macros, and know what is test code.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// One token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// The word or sign; brackets are tokens of their own; a literal is always `""`.
    pub(super) text: String,
    /// From 1.
    pub(super) line: usize,
    /// Whether it is inside an item that only tests compile.
    pub(super) in_test: bool,
}

/// The tokens of a file, brackets opened up.
pub(super) fn flatten(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    flatten_into(stream, false, &mut tokens);
    tokens
}

/// The places where these tokens stand one after another: the index of the first of each.
pub(super) fn positions(tokens: &[Token], sequence: &[&str]) -> Vec<usize> {
    let stands_at = |(_, window): &(usize, &[Token])| {
        let texts = window.iter().map(|token| token.text.as_str());
        texts.eq(sequence.iter().copied())
    };
    let windows = tokens.windows(sequence.len()).enumerate();
    windows.filter(stands_at).map(|(index, _)| index).collect()
}

fn flatten_into(stream: TokenStream, in_test: bool, out: &mut Vec<Token>) {
    let mut after_hash = false;
    // Set by an attribute, and in force to the end of the item that the attribute is on.
    let mut test_item = false;
    for tree in stream {
        let test = in_test || test_item;
        let line = tree.span().start().line;
        let text = match &tree {
            TokenTree::Group(group) => {
                test_item |= after_hash && is_test_attribute(group);
                flatten_group(group, test, out);
                test_item &= group.delimiter() != Delimiter::Brace;
                after_hash = false;
                continue;
            }
            TokenTree::Ident(ident) => ident.to_string(),
            TokenTree::Punct(punct) => punct.as_char().to_string(),
            TokenTree::Literal(_) => String::new(),
        };
        after_hash = text == "#";
        test_item &= text != ";";
        out.push(Token {
            text,
            line,
            in_test: test,
        });
    }
}

fn flatten_group(group: &Group, in_test: bool, out: &mut Vec<Token>) {
    let (open, close) = match group.delimiter() {
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::None => ("", ""),
    };
    let bracket = |text: &str, line| Token {
        text: text.to_owned(),
        line,
        in_test,
    };
    out.push(bracket(open, group.span_open().start().line));
    flatten_into(group.stream(), in_test, out);
    out.push(bracket(close, group.span_close().start().line));
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`; what also other builds
/// compile is not test code.
fn is_test_attribute(group: &Group) -> bool {
    let mut tokens = Vec::new();
    flatten_into(group.stream(), false, &mut tokens);
    let has = |word: &str| tokens.iter().any(|token| token.text == word);
    has("test") && !has("not") && !has("any")
}

#[cfg(test)]
mod tests {
    //! Sequences, lines, and where test code begins and ends.

    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        flatten(text.parse().expect("tokens"))
    }

    #[test]
    fn sequences_are_found_in_macros_and_not_in_text() {
        let found = tokens("// a.b\nlet x = \"a.b\";\nm!(a.b);\n");
        let places = positions(&found, &["a", ".", "b"]);
        assert_eq!(places.len(), 1);
        assert_eq!(found[places[0]].line, 3);
    }

    #[test]
    fn test_items_begin_with_their_attribute_and_end_with_their_braces() {
        let marked = |text: &str| {
            let found = tokens(text);
            let at = positions(&found, &["here"])[0];
            found[at].in_test
        };
        assert!(marked("#[cfg(test)] mod tests { fn f() { here(); } }"));
        assert!(marked("#[test] fn f() -> u8 { here() }"));
        assert!(marked("#[tokio::test] #[allow(x)] async fn f() { here() }"));
        assert!(marked(
            "#[cfg(all(test, unix))] mod t { mod u { here!(); } }"
        ));
        assert!(!marked("#[cfg(test)] mod tests { } fn f() { here() }"));
        assert!(!marked("#[cfg(test)] mod tests; fn f() { here() }"));
        assert!(!marked("#[cfg(not(test))] fn f() { here() }"));
        assert!(!marked("#[cfg(any(test, fuzzing))] fn f() { here() }"));
    }
}
