//! Measures the encoders: time, processor time and bytes a picture, likeness, memory.
//!
//! `cargo run --release -p encode --example encode_time -- [SIZE...] [key=value...]` runs every
//! combination that the keys `encoder`, `codec`, `profile`, `threads`, `pictures` and `scene` leave open
//! (several values: `threads=1,2`), each in a process of its own; `bitrate=8M` and `count=300` are
//! common to all. `source=1920x1080` gives pictures of that size, which the encoder scales. Likeness
//! needs `ffmpeg`.

use encode::{Encoder, EncoderChoice, EncoderConfig, PictureRequest};
use media::{
    AccessUnit, CaptureTimes, Codec, Frame, FrameIndex, FrameKind, FrameRate, PixelFormat,
    QualityProfile, Size,
};
use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const KEYS: [(&str, &str); 9] = [
    ("encoder", "x264"),
    ("codec", "h264"),
    ("profile", "latency,quality"),
    ("threads", "1,2"),
    ("pictures", "8"),
    ("scene", "typing,scrolling,video"),
    ("bitrate", "8M"),
    ("count", "300"),
    ("source", "same"),
];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == "one"
    {
        return one(rest);
    }
    let mut sizes: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|a| !a.contains('='))
        .collect();
    if sizes.is_empty() {
        sizes = vec!["1280x720", "1920x1080"];
    }
    println!(
        "{:<10} {:<9} {:<8} {:<9} thr ref |  p50 ms  p95 ms  max ms  cpu ms |  bytes  of budget  max |  PSNR dB | open ms  RSS MB",
        "size", "scene", "encoder", "profile"
    );
    let mut runs: Vec<Vec<String>> = sizes.iter().map(|size| vec![(*size).to_owned()]).collect();
    for (key, default) in KEYS {
        let given = arguments
            .iter()
            .find_map(|a| a.strip_prefix(key)?.strip_prefix('='));
        let with = |run: &Vec<String>, value: &str| [&run[..], &[value.to_owned()]].concat();
        let values: Vec<&str> = given.unwrap_or(default).split(',').collect();
        runs = runs
            .iter()
            .flat_map(|run| values.iter().map(move |value| with(run, value)))
            .collect();
    }
    for run in runs {
        let status = Command::new(std::env::current_exe()?)
            .arg("one")
            .args(run)
            .status()?;
        if !status.success() {
            return Err("a run failed".into());
        }
    }
    Ok(())
}

/// One combination, its values in the order of [`KEYS`] behind the size.
fn one(values: &[String]) -> Outcome<()> {
    let [
        size,
        encoder,
        codec,
        profile,
        threads,
        pictures,
        scene,
        bitrate,
        count,
        source,
    ] = values
    else {
        return Err("one run takes a size and a value for each key".into());
    };
    let config = EncoderConfig {
        size: size.parse()?,
        rate: FrameRate::new(60)?,
        bitrate: bitrate.parse()?,
        codec: codec_named(codec)?,
        profile: match profile.as_str() {
            "quality" => QualityProfile::Quality,
            _ => QualityProfile::Latency,
        },
        threads: threads.parse()?,
        slices: 1,
        reference_pictures: pictures.parse()?,
    };
    let choice: EncoderChoice = encoder.parse()?;
    let source_size = match source.as_str() {
        "same" => config.size,
        other => other.parse()?,
    };
    let canvas = Canvas::new(scene, source_size);
    let mut frame = canvas.frame(0);
    let memory_before = resident_mb()?;
    let opening = Instant::now();
    let (mut encoder_open, _) = encode::open(&choice, &config)?;
    let open_ms = opening.elapsed().as_secs_f64() * 1e3;
    let mut stream = Stream {
        codec: config.codec,
        ..Stream::default()
    };
    let mut memory = 0.0;
    for index in 0..count.parse()? {
        frame = canvas.frame_after(frame, index);
        stream.push(encoder_open.as_mut(), &frame, index)?;
        memory = f64::max(memory, resident_mb()? - stream.megabytes());
    }
    // Scaled pictures have nothing to be compared with.
    let likeness = Some(&stream).filter(|_| source_size == config.size);
    let likeness = likeness.and_then(|stream| stream.likeness(&canvas).ok());
    let likeness = likeness.unwrap_or(f64::NAN);
    let budget = f64::from(config.bitrate.bps()) / 60.0 / 8.0;
    println!(
        "{size:<10} {scene:<9} {encoder:<8} {profile:<9} {threads:>3} {pictures:>3} | {} {:>7.2} | {} | {likeness:>8.1} | {open_ms:>7.1} {:>7.1}",
        stream.times(),
        stream.cpu.as_secs_f64() * 1e3 / stream.sizes.len() as f64,
        stream.bytes(budget),
        memory - memory_before,
    );
    Ok(())
}

fn codec_named(name: &str) -> Outcome<Codec> {
    match name {
        "h264" => Ok(Codec::H264),
        "hevc" => Ok(Codec::Hevc),
        "av1" => Ok(Codec::Av1),
        _ => Err("codec is h264, hevc or av1".into()),
    }
}

/// What was coded, and what it took. The keyframe at the start is left out of the figures.
#[derive(Default)]
struct Stream {
    codec: Codec,
    data: Vec<u8>,
    times_ms: Vec<f64>,
    sizes: Vec<usize>,
    cpu: Duration,
}

impl Stream {
    fn push(&mut self, encoder: &mut dyn Encoder, frame: &Frame, index: u64) -> Outcome<()> {
        let mut unit = AccessUnit::default();
        let request = PictureRequest {
            index: FrameIndex(index),
            ..PictureRequest::default()
        };
        let (cpu, start) = (cpu_time(), Instant::now());
        encoder.submit(frame, request)?;
        encoder.poll(&mut unit)?;
        if !unit.is_keyframe() {
            self.times_ms.push(start.elapsed().as_secs_f64() * 1e3);
            self.cpu += cpu_time().saturating_sub(cpu);
            self.sizes.push(unit.data.len());
        }
        self.data.extend_from_slice(&unit.data);
        Ok(())
    }

    fn megabytes(&self) -> f64 {
        self.data.capacity() as f64 / 1e6
    }

    fn times(&self) -> String {
        let mut sorted = self.times_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: usize| sorted[(sorted.len() - 1) * share / 100];
        format!("{:>7.2} {:>7.2} {:>7.2}", at(50), at(95), at(100))
    }

    fn bytes(&self, budget: f64) -> String {
        let mean = self.sizes.iter().sum::<usize>() as f64 / self.sizes.len() as f64;
        let most = self.sizes.iter().max().copied().unwrap_or(0) as f64;
        format!("{mean:>6.0} {:>10.2} {:>4.1}", mean / budget, most / budget)
    }

    /// Mean PSNR of the luma after decoding with `ffmpeg`.
    fn likeness(&self, canvas: &Canvas) -> Outcome<f64> {
        let format = match self.codec {
            Codec::H264 => "h264",
            Codec::Hevc => "hevc",
            Codec::Av1 => "obu",
        };
        let arguments = format!(
            "-v error -f {format} -i pipe:0 -fps_mode passthrough -pix_fmt yuv420p -f rawvideo pipe:1"
        );
        let mut decoder = Command::new("ffmpeg")
            .args(arguments.split(' '))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = decoder.stdin.take().ok_or("no pipe")?;
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(&self.data));
            decoder.wait_with_output()
        })?;
        let picture_bytes = canvas.size.pixels() as usize * 3 / 2;
        let pictures: Vec<_> = output
            .stdout
            .chunks_exact(picture_bytes)
            .enumerate()
            .skip(30)
            .step_by(10)
            .collect();
        let sum: f64 = pictures
            .iter()
            .map(|(index, picture)| canvas.psnr(*index as u64, &picture[..picture_bytes / 3 * 2]))
            .sum();
        Ok(sum / pictures.len() as f64)
    }
}

/// A scene: a large picture through which a window moves, and glyphs typed over it.
struct Canvas {
    size: Size,
    scene: String,
    /// Blue, green, red and nothing; taller and wider than the window.
    pixels: Vec<[u8; 4]>,
    width: u32,
}

impl Canvas {
    fn new(scene: &str, size: Size) -> Self {
        let (width, height) = (size.width + 400, size.height + 1600);
        let pixel = match scene {
            "video" => waves,
            _ => glyphs,
        };
        let pixels = (0..height)
            .flat_map(|y| (0..width).map(move |x| pixel(x, y)))
            .collect();
        Self {
            size,
            scene: scene.to_owned(),
            pixels,
            width,
        }
    }

    /// Where the window stands.
    fn corner(&self, index: u64) -> (u32, u32) {
        let back_and_forth = |speed: u64, way: u64| {
            let at = index * speed % (2 * way);
            at.min(2 * way - at) as u32
        };
        match self.scene.as_str() {
            "typing" => (0, 0),
            "scrolling" => (0, back_and_forth(4, 1600)),
            _ => (back_and_forth(3, 400), back_and_forth(2, 1600)),
        }
    }

    fn pixel(&self, index: u64, x: u32, y: u32) -> [u8; 4] {
        let (left, top) = self.corner(index);
        let time = index as u32;
        match self.scene.as_str() {
            // A line of eight glyphs changes in every picture.
            "typing" if (100..124).contains(&y) && (300..364).contains(&x) => {
                glyphs(x + 8 * time, y + 12 * time)
            }
            // The camera moves by parts of a pixel and the light changes.
            "video" => {
                let [here, next] = [0, 1]
                    .map(|step| self.pixels[((y + top) * self.width + x + left + step) as usize]);
                let mix = |channel: usize| {
                    let sum = u32::from(here[channel]) * (4 - time % 4)
                        + u32::from(next[channel]) * (time % 4);
                    (sum / 4 + time / 8 % 16) as u8
                };
                [mix(0), mix(1), mix(2), 0]
            }
            _ => self.pixels[((y + top) * self.width + x + left) as usize],
        }
    }

    fn frame(&self, index: u64) -> Frame {
        let stride = self.size.width as usize * 4;
        let mut bytes = Vec::with_capacity(stride * self.size.height as usize);
        for y in 0..self.size.height {
            bytes.extend((0..self.size.width).flat_map(|x| self.pixel(index, x, y)));
        }
        Frame {
            size: self.size,
            format: PixelFormat::Bgrx,
            stride,
            pixels: Arc::new(bytes),
            kind: FrameKind::Fresh,
            times: CaptureTimes::default(),
        }
    }

    /// The next frame, when the memory of the one before is free.
    fn frame_after(&self, before: Frame, index: u64) -> Frame {
        drop(before);
        self.frame(index)
    }

    fn psnr(&self, index: u64, luma: &[u8]) -> f64 {
        let places = (0..self.size.height).flat_map(|y| (0..self.size.width).map(move |x| (x, y)));
        let square = |((x, y), decoded): ((u32, u32), &u8)| {
            let [blue, green, red, _] = self.pixel(index, x, y).map(f64::from);
            let wanted = 16.0 + (0.2126 * red + 0.7152 * green + 0.0722 * blue) * 219.0 / 255.0;
            (wanted - f64::from(*decoded)).powi(2)
        };
        let mean = places.zip(luma).map(square).sum::<f64>() / luma.len() as f64;
        10.0 * (255.0 * 255.0 / mean.max(1e-3)).log10()
    }
}

fn hash(value: u32) -> u32 {
    let mixed = value.wrapping_mul(0x9e37_79b1) ^ value >> 15;
    (mixed ^ mixed >> 13).wrapping_mul(0x85eb_ca6b) >> 7
}

/// Dark random glyphs on white.
fn glyphs(x: u32, y: u32) -> [u8; 4] {
    let (dot_x, dot_y) = (x % 8, y % 16);
    let glyph = hash(x / 8 + 977 * (y / 16)) % 90;
    let line_length = 40 + hash(y / 16) % 60;
    let ink = glyph > 15
        && x / 8 < line_length
        && (1..7).contains(&dot_x)
        && (3..13).contains(&dot_y)
        && hash(glyph + 100 * (dot_x + 8 * dot_y)) % 5 < 2;
    if ink {
        [30, 30, 30, 0]
    } else {
        [252, 252, 252, 0]
    }
}

/// Smooth light and colour with fine grain.
fn waves(x: u32, y: u32) -> [u8; 4] {
    let wave = |a: u32, b: u32| {
        let phase = (x * a + y * b) as f32 / 4000.0;
        110.0 + 60.0 * phase.sin() + 30.0 * (phase * 7.3).cos()
    };
    let near = |step: u32| hash(x / 2 + step % 3 + 7919 * (y / 2 + step / 3)) % 64;
    let grain = (0..9).map(near).sum::<u32>() as f32 / 6.0;
    [
        wave(31, 17) + grain,
        wave(11, 41) + grain,
        wave(23, 9) + grain,
        0.0,
    ]
    .map(|value| value as u8)
}

fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Resident memory of this process.
fn resident_mb() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: f64 = line
        .ok_or("no VmRSS")?
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    Ok(kilobytes / 1e3)
}
