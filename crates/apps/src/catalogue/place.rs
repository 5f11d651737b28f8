//! Where something stands in a file of apps: the line of a byte, and the field around it.

use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line of a byte, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|byte| **byte == b'\n').count()
}

/// A field and the bytes that it takes, and below it its own.
#[derive(Debug)]
pub(super) struct Field {
    name: String,
    span: Range<usize>,
    below: Vec<Field>,
}

impl Field {
    /// The fields of a table.
    pub(super) fn of_table(table: &DeTable<'_>) -> Vec<Self> {
        let field = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            let start = key.span().start.min(value.span().start);
            let end = key.span().end.max(value.span().end);
            Self::new(name.clone().into_owned(), start..end, value.get_ref())
        };
        table.iter().map(field).collect()
    }

    fn new(name: String, span: Range<usize>, value: &DeValue<'_>) -> Self {
        let below = match value {
            DeValue::Table(table) => Self::of_table(table),
            DeValue::Array(array) => {
                let items = array.iter().enumerate();
                let item = |(index, value): (usize, &Spanned<DeValue<'_>>)| {
                    Self::new(format!("[{index}]"), value.span(), value.get_ref())
                };
                items.map(item).collect()
            }
            _ => Vec::new(),
        };
        Self { name, span, below }
    }

    /// The path of the innermost field around a byte.
    pub(super) fn path_at(fields: &[Self], at: usize) -> Option<String> {
        let around = |field: &&Self| field.span.contains(&at);
        let field = fields.iter().find(around)?;
        Some(match Self::path_at(&field.below, at) {
            Some(below) if below.starts_with('[') => format!("{}{below}", field.name),
            Some(below) => format!("{}.{below}", field.name),
            None => field.name.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    //! Lines and paths of bytes.

    use super::*;

    #[test]
    fn lines_count_from_one_and_the_end_is_a_place_too() {
        let text = "a\nb\n";
        let lines: Vec<usize> = (0..6).map(|at| line(text, at)).collect();
        assert_eq!(lines, [1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn the_innermost_field_is_named_with_its_path() {
        let text = "env = { A = 1 }\nprep = [{ do = 'x' }, { undo = 'y' }]\n";
        let table = DeTable::parse(text).unwrap();
        let fields = Field::of_table(table.get_ref());
        let path = |what| Field::path_at(&fields, text.find(what).unwrap());
        assert_eq!(path("1").as_deref(), Some("env.A"));
        assert_eq!(path("'y'").as_deref(), Some("prep[1].undo"));
        assert_eq!(path("undo").as_deref(), Some("prep[1].undo"));
        assert_eq!(path("= {").as_deref(), Some("env"));
        assert_eq!(path("\n"), None);
    }
}
