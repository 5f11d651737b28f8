//! Writes the XML that clients read: one root with a status, and elements in it. Every text is
//! escaped; characters that XML cannot hold become replacement characters.

use std::fmt::Display;

/// An answer that is being written.
pub(crate) struct Xml {
    text: String,
}

/// What goes into the root.
pub(crate) struct Status<'a> {
    pub(crate) code: u16,
    pub(crate) message: Option<&'a str>,
}

impl Status<'_> {
    /// All is well.
    pub(crate) const OK: Self = Self {
        code: 200,
        message: None,
    };
}

impl Xml {
    pub(crate) fn new(status: &Status<'_>) -> Self {
        let mut xml = Self {
            text: String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<root"),
        };
        xml.attribute("status_code", &status.code.to_string());
        if let Some(message) = status.message {
            xml.attribute("status_message", message);
        }
        xml.text.push('>');
        xml
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        self.escaped(value);
        self.text.push('"');
    }

    /// An element with a text.
    pub(crate) fn element(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.open(name);
        self.escaped(&value.to_string());
        self.close(name)
    }

    /// An element with elements.
    pub(crate) fn group(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name);
        inside(self);
        self.close(name)
    }

    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self
    }

    fn escaped(&mut self, text: &str) {
        for char in text.chars() {
            match char {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\'' => self.text.push_str("&apos;"),
                '\t' | '\n' | '\r' => self.text.push(' '),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.text.push('\u{fffd}'),
                other => self.text.push(other),
            }
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("</root>\n");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_user_may_name_breaks_out_of_its_element() {
        let mut xml = Xml::new(&Status {
            code: 400,
            message: Some("a \"b\" <c>"),
        });
        xml.element("hostname", "</hostname>&'\u{1}\u{b}");
        let text = xml.finish();
        assert_eq!(text.matches("</hostname>").count(), 1);
        assert!(text.contains("&lt;/hostname&gt;&amp;&apos;\u{fffd}\u{fffd}"));
        assert!(text.contains("status_message=\"a &quot;b&quot; &lt;c&gt;\""));
    }
}
