//! FFmpeg from the system, as a process: its decoder, and its view of the headers.

use media::{PixelFormat, Size};
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("ffmpeg")
        .args([
            "-hide_banner",
            "-nostdin",
            "-threads",
            "1",
            "-f",
            "h264",
            "-i",
            "pipe:0",
        ])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tests decode with ffmpeg: install it");
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A decoder that gives up early closes the pipe; its output tells the rest.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    })
}

/// The pictures in an Annex B stream, each in planes without padding.
pub(crate) fn decode(stream: &[u8], size: Size) -> Vec<Vec<u8>> {
    let raw = [
        "-fps_mode",
        "passthrough",
        "-pix_fmt",
        "yuv420p",
        "-f",
        "rawvideo",
        "pipe:1",
    ];
    let output = run(&[&["-loglevel", "error"][..], &raw].concat(), stream);
    let bytes = PixelFormat::I420.bytes(size.width as usize, size.height);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        output.stdout.len() % bytes,
        0,
        "whole pictures of the size asked for"
    );
    output.stdout.chunks(bytes).map(<[u8]>::to_vec).collect()
}

/// The header fields of a stream in order, as FFmpeg reads them.
pub(crate) struct Headers(Vec<(String, i64)>);

impl Headers {
    pub(crate) fn of(stream: &[u8]) -> Self {
        let output = run(
            &["-c", "copy", "-bsf:v", "trace_headers", "-f", "null", "-"],
            stream,
        );
        let text = String::from_utf8_lossy(&output.stderr);
        // Lines such as `[trace_headers @ 0x5] 48  frame_num  0000000000000011 = 3`.
        let field = |line: &str| {
            let (left, value) = line.rsplit_once(" = ")?;
            let name = left.split_whitespace().rev().nth(1)?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        let traced = text.lines().filter(|line| line.contains("trace_headers"));
        let fields: Vec<_> = traced.filter_map(field).collect();
        assert!(!fields.is_empty(), "{text}");
        Self(fields)
    }

    /// Every value of a field, in the order of the stream.
    pub(crate) fn all(&self, name: &str) -> Vec<i64> {
        let named = self.0.iter().filter(|(field, _)| field == name);
        named.map(|(_, value)| *value).collect()
    }

    /// The value of a field that never changes.
    pub(crate) fn one(&self, name: &str) -> i64 {
        let mut values = self.all(name);
        values.dedup();
        assert_eq!(values.len(), 1, "{name}: {values:?}");
        values[0]
    }
}
