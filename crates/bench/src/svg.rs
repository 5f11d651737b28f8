//! Writes SVG: a few shapes and an axis, enough for the plots of this crate. Every text is escaped;
//! coordinates are pixels with one decimal.

use std::fmt::Write as _;

/// Colour of lines that only help the eye.
pub(crate) const FAINT: &str = "#e3e6ea";
/// Colour of text beside the point.
pub(crate) const MUTED: &str = "#59636e";
const INK: &str = "#1f2328";
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif";

/// A rectangle in the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    pub(crate) fn right(self) -> f64 {
        self.x + self.width
    }

    pub(crate) fn bottom(self) -> f64 {
        self.y + self.height
    }
}

/// How a text stands to its point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Anchor {
    #[default]
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) size_px: f64,
    pub(crate) anchor: Anchor,
    pub(crate) colour: &'static str,
    pub(crate) bold: bool,
}

impl Style {
    /// Ordinary text.
    pub(crate) const PLAIN: Self = Self {
        size_px: 12.0,
        anchor: Anchor::Start,
        colour: INK,
        bold: false,
    };

    pub(crate) const fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub(crate) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(crate) const fn muted(self) -> Self {
        Self {
            colour: MUTED,
            ..self
        }
    }

    pub(crate) const fn sized(self, size_px: f64) -> Self {
        Self { size_px, ..self }
    }
}

/// A picture in the making.
#[derive(Debug, Default)]
pub(crate) struct Svg {
    body: String,
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Not allowed in XML, however it is written.
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

impl Svg {
    pub(crate) fn rect(&mut self, area: Area, colour: &str) {
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        let (width, height) = (width.max(0.0), height.max(0.0));
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
        );
    }

    pub(crate) fn line(&mut self, from: [f64; 2], to: [f64; 2], colour: &str) {
        let ([x1, y1], [x2, y2]) = (from, to);
        let _ = writeln!(
            self.body,
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}"/>"#
        );
    }

    pub(crate) fn text(&mut self, at: [f64; 2], style: Style, text: &str) {
        let anchor = match style.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if style.bold {
            r#" font-weight="600""#
        } else {
            ""
        };
        let Style {
            size_px, colour, ..
        } = style;
        let ([x, y], text) = (at, escaped(text));
        let _ = writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size_px}" text-anchor="{anchor}" fill="{colour}"{weight}>{text}</text>"#
        );
    }

    /// A line through points, with the area down to `floor` lightly filled.
    pub(crate) fn hill(&mut self, points: &[[f64; 2]], floor: f64, colour: &str) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return;
        };
        let mut path = String::new();
        for [x, y] in points {
            let _ = write!(path, " L{x:.1} {y:.1}");
        }
        let outline = path.replacen(" L", "M", 1);
        let _ = writeln!(
            self.body,
            r#"<path d="M{:.1} {floor:.1}{path} L{:.1} {floor:.1}Z" fill="{colour}" fill-opacity="0.12"/>"#,
            first[0], last[0]
        );
        let _ = writeln!(
            self.body,
            r#"<path d="{outline}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-linejoin="round"/>"#
        );
    }

    /// Small dots, as one path.
    pub(crate) fn dots(&mut self, points: impl Iterator<Item = [f64; 2]>, colour: &str) {
        let mut path = String::new();
        for [x, y] in points {
            let _ = write!(path, "M{x:.1} {y:.1}h0");
        }
        if path.is_empty() {
            return;
        }
        let _ = writeln!(
            self.body,
            r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.2" stroke-linecap="round" stroke-opacity="0.55"/>"#
        );
    }

    /// Vertical grid lines of a horizontal axis, with their values below.
    pub(crate) fn axis_across(&mut self, area: Area, most: f64, unit: &str) {
        for value in ticks(most, 10) {
            let x = area.x + area.width * value / most;
            self.line([x, area.y], [x, area.bottom()], FAINT);
            let style = Style::PLAIN.muted().sized(11.0).anchored(Anchor::Middle);
            self.text([x, area.bottom() + 14.0], style, &format!("{value}{unit}"));
        }
    }

    /// Horizontal grid lines of a vertical axis, with their values on the left.
    pub(crate) fn axis_up(&mut self, area: Area, most: f64, unit: &str) {
        for value in ticks(most, 5) {
            let y = area.bottom() - area.height * value / most;
            self.line([area.x, y], [area.right(), y], FAINT);
            let style = Style::PLAIN.muted().sized(11.0).anchored(Anchor::End);
            self.text([area.x - 6.0, y + 4.0], style, &format!("{value}{unit}"));
        }
    }

    /// The whole document, on a white ground.
    pub(crate) fn finish(self, width: f64, height: f64, title: &str) -> String {
        let (title, body) = (escaped(title), self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"{FONT}\" role=\"img\">\n\
             <title>{title}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
        )
    }
}

/// Round values from 0 to `most`, about `count` of them.
fn ticks(most: f64, count: usize) -> Vec<f64> {
    let rough = most / count as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return vec![0.0];
    }
    let magnitude = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude);
    let step = steps
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let last = (most / step + 1e-9).floor() as usize;
    // Rounded, so that no tick is called 0.30000000000000004.
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    (0..=last).map(|at| rounded(at as f64 * step)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(10.0, 10), (0..=10).map(f64::from).collect::<Vec<_>>());
        assert_eq!(ticks(0.35, 5), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(ticks(43.0, 5), [0.0, 10.0, 20.0, 30.0, 40.0]);
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(ticks(odd, 5), [0.0]);
        }
    }

    #[test]
    fn text_cannot_break_out() {
        let mut svg = Svg::default();
        svg.text([0.0, 0.0], Style::PLAIN, "a < b & \"c\" > d\u{0}");
        let document = svg.finish(10.0, 10.0, "</title>");
        assert!(
            document.contains("a &lt; b &amp; &quot;c&quot; &gt; d<"),
            "{document}"
        );
        assert!(document.contains("&lt;/title&gt;"));
    }
}
