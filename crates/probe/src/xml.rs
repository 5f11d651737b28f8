//! The little XML that hosts answer with: elements, attributes, text, the five named entities and
//! character references. It refuses document types, so that nothing expands.

/// Deepest nesting that is read; answers have three levels.
const MAX_DEPTH: usize = 16;
/// Most elements that are read; a list of applications has four each.
const MAX_ELEMENTS: usize = 65_536;

/// Why a text is not such XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// It is not UTF-8.
    #[error("not UTF-8")]
    Encoding,
    /// It ends inside an element, or there is none.
    #[error("XML ends too early")]
    Truncated,
    /// Something is where it cannot be.
    #[error("not well-formed XML at byte {0}")]
    Malformed(usize),
    /// More than any answer has.
    #[error("XML with too many or too deep elements")]
    TooLarge,
}

/// An element and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name.
    pub name: String,
    /// Its attributes, in order.
    pub attributes: Vec<(String, String)>,
    /// The text directly inside, joined and trimmed.
    pub text: String,
    /// The elements directly inside.
    pub children: Vec<Element>,
}

impl Element {
    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The first element of that name directly inside.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element of that name directly inside.
    #[must_use]
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

/// Reads a document and gives its root.
///
/// # Errors
/// [`XmlError`] for anything else.
pub fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    let mut reader = Reader { text, at: 0 };
    let mut open: Vec<Element> = Vec::new();
    let mut elements = 0;
    loop {
        let run = reader.until('<');
        if let Some(current) = open.last_mut() {
            current.text.push_str(&unescape(run, reader.at)?);
        } else if !run
            .trim_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
            .is_empty()
        {
            return Err(XmlError::Malformed(reader.at));
        }
        let finished = match reader.tag()? {
            Tag::Skip => None,
            Tag::Empty(element) => Some(element),
            Tag::Open(element) => {
                open.push(element);
                elements += 1;
                None
            }
            Tag::Close(name) => {
                let mut element = open.pop().ok_or(XmlError::Malformed(reader.at))?;
                if element.name != name {
                    return Err(XmlError::Malformed(reader.at));
                }
                element.text = element.text.trim().to_owned();
                Some(element)
            }
        };
        if open.len() > MAX_DEPTH || elements > MAX_ELEMENTS {
            return Err(XmlError::TooLarge);
        }
        if let Some(element) = finished {
            match open.last_mut() {
                Some(parent) => parent.children.push(element),
                None => return Ok(element),
            }
            elements += 1;
        }
    }
}

enum Tag {
    Skip,
    Empty(Element),
    Open(Element),
    Close(String),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// What stands before `stop`, or everything that is left.
    fn until(&mut self, stop: char) -> &'a str {
        let rest = self.rest();
        let length = rest.find(stop).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn skip_past(&mut self, end: &str) -> Result<Tag, XmlError> {
        let found = self.rest().find(end).ok_or(XmlError::Truncated)?;
        self.at += found + end.len();
        Ok(Tag::Skip)
    }

    /// One tag; the reader stands at its `<`.
    fn tag(&mut self) -> Result<Tag, XmlError> {
        let rest = self.rest();
        if rest.is_empty() {
            return Err(XmlError::Truncated);
        }
        if rest.starts_with("<?") {
            return self.skip_past("?>");
        }
        if rest.starts_with("<!--") {
            return self.skip_past("-->");
        }
        if rest.starts_with("<!") {
            return Err(XmlError::Malformed(self.at));
        }
        self.at += 1;
        if self.rest().starts_with('/') {
            self.at += 1;
            let name = self.until('>').trim_end().to_owned();
            self.expect('>')?;
            return Ok(Tag::Close(name));
        }
        let mut element = Element {
            name: self.name()?,
            ..Element::default()
        };
        loop {
            self.blanks();
            let rest = self.rest();
            if rest.starts_with("/>") {
                self.at += 2;
                return Ok(Tag::Empty(element));
            }
            if rest.starts_with('>') {
                self.at += 1;
                return Ok(Tag::Open(element));
            }
            if element.attributes.len() >= MAX_DEPTH {
                return Err(XmlError::TooLarge);
            }
            element.attributes.push(self.attribute()?);
        }
    }

    fn attribute(&mut self) -> Result<(String, String), XmlError> {
        let name = self.name()?;
        self.blanks();
        self.expect('=')?;
        self.blanks();
        let quote = self.rest().chars().next().ok_or(XmlError::Truncated)?;
        if quote != '"' && quote != '\'' {
            return Err(XmlError::Malformed(self.at));
        }
        self.at += 1;
        let value = unescape(self.until(quote), self.at)?;
        self.expect(quote)?;
        Ok((name, value))
    }

    fn name(&mut self) -> Result<String, XmlError> {
        let rest = self.rest();
        let ends = |c: char| c.is_whitespace() || matches!(c, '>' | '/' | '=' | '<' | '"' | '\'');
        let length = rest.find(ends).ok_or(XmlError::Truncated)?;
        if length == 0 {
            return Err(XmlError::Malformed(self.at));
        }
        self.at += length;
        Ok(rest[..length].to_owned())
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn expect(&mut self, wanted: char) -> Result<(), XmlError> {
        match self.rest().chars().next() {
            None => Err(XmlError::Truncated),
            Some(found) if found == wanted => {
                self.at += wanted.len_utf8();
                Ok(())
            }
            Some(_) => Err(XmlError::Malformed(self.at)),
        }
    }
}

fn unescape(text: &str, at: usize) -> Result<String, XmlError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let end = rest.find(';').ok_or(XmlError::Malformed(at))?;
        out.push(entity(&rest[..end]).ok_or(XmlError::Malformed(at))?);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_of_a_host_is_read() {
        let text = br#"<?xml version="1.0" encoding="utf-8"?>
<root status_code="200" status_message='fine'><hostname>a &amp; b&#x21;</hostname><empty/>
<App><ID>1</ID></App><App><ID>2</ID></App></root>"#;
        let root = parse(text).unwrap();
        assert_eq!(root.attribute("status_code"), Some("200"));
        assert_eq!(root.child_text("hostname"), Some("a & b!"));
        assert_eq!(root.child_text("empty"), Some(""));
        let ids: Vec<_> = root
            .children
            .iter()
            .filter_map(|app| app.child_text("ID"))
            .collect();
        assert_eq!(ids, ["1", "2"]);
    }

    #[test]
    fn what_is_cut_short_or_crossed_is_refused() {
        assert_eq!(parse(b"<root><a>"), Err(XmlError::Truncated));
        assert_eq!(parse(b""), Err(XmlError::Truncated));
        assert!(matches!(
            parse(b"<a><b></a></b>"),
            Err(XmlError::Malformed(_))
        ));
        assert!(matches!(
            parse(b"<a>&nbsp;</a>"),
            Err(XmlError::Malformed(_))
        ));
        assert!(matches!(
            parse(b"<!DOCTYPE a><a/>"),
            Err(XmlError::Malformed(_))
        ));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "<a>".repeat(100);
        assert_eq!(parse(deep.as_bytes()), Err(XmlError::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_mix_of_its_own_signs_makes_it_panic(text in "[<>/a=\"'&;#x !?-]{0,60}") {
            let _ = parse(text.as_bytes());
        }
    }
}
