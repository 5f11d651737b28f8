//! The measuring scripts in a real browser: on barcodes drawn here, on a page that streams to
//! itself, and the plot as the browser's parser sees it.

use super::*;
use crate::chromium::Chromium;
use crate::frames::{Recording, Window};
use crate::options::{BenchOptions, Variant};
use crate::presses::{PressKind, Presser};
use crate::processes::Machine;
use crate::report::{Report, VariantReport};
use capture::barcode::{self, Barcode};
use capture::canvas::I420Canvas;
use media::PixelFormat;
use std::io::{Read, Write};
use std::net::TcpListener;

const WIDTH: usize = barcode::SIZE.width as usize;
const HEIGHT: usize = barcode::SIZE.height as usize;

struct Stage {
    browser: Chromium,
    _folder: tempfile::TempDir,
}

fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    Stage {
        browser: Chromium::start(None, folder.path()).unwrap(),
        _folder: folder,
    }
}

fn luma(code: Barcode) -> Vec<u8> {
    luma_of(barcode::SIZE, |canvas| code.draw(canvas))
}

fn luma_of(size: Size, draw: impl FnOnce(&mut I420Canvas<'_>)) -> Vec<u8> {
    let width = size.width as usize;
    let mut bytes = vec![128; PixelFormat::I420.bytes(width, size.height)];
    draw(&mut I420Canvas::new(&mut bytes, width, size).unwrap());
    bytes.truncate(width * size.height as usize);
    bytes
}

/// A page that streams these pictures to itself, the one that `choice` says.
fn own_stream(size: Size, pictures: &[Vec<u8>], choice: &str) -> String {
    OWN_STREAM
        .replace("WIDTH", &size.width.to_string())
        .replace("HEIGHT", &size.height.to_string())
        .replace("PICTURES", &serde_json::to_string(pictures).unwrap())
        .replace("CHOICE", choice)
}

fn code(number: u32) -> Barcode {
    Barcode {
        time_us: 1_795_000_000_123_457 + u64::from(number) * 17_543,
        frame: number,
    }
}

#[test]
fn the_page_reads_what_the_pattern_draws() {
    let mut stage = stage();
    let cdp = &mut stage.browser.cdp;
    let tab = cdp.open_tab().unwrap();
    let mut read = |bytes: &[u8], stride: usize, cell: [f64; 2]| {
        let (plane, [x, y]) = (json!({"bytes": bytes, "offset": 0, "stride": stride}), cell);
        let script = format!("(() => {{ {BARCODE}\nreturn readBarcode({plane}, {x}, {y}); }})()");
        cdp.evaluate(&tab, &script).unwrap()
    };
    for number in [0, 1, 77_777, u32::MAX] {
        let code = code(number);
        let expected = json!({"timeUs": code.time_us, "number": number});
        let drawn = luma(code);
        assert_eq!(read(&drawn, WIDTH, [16.0, 16.0]), expected);

        let coarse: Vec<u8> = drawn
            .iter()
            .enumerate()
            .map(|(at, v)| v ^ (at % 31) as u8)
            .collect();
        assert_eq!(read(&coarse, WIDTH, [16.0, 16.0]), expected);

        let half: Vec<u8> = (0..HEIGHT / 2)
            .flat_map(|y| drawn[2 * y * WIDTH..][..WIDTH].iter().step_by(2).copied())
            .collect();
        assert_eq!(read(&half, WIDTH / 2, [8.0, 8.0]), expected);

        let mut damaged = drawn;
        for row in damaged.chunks_mut(WIDTH).take(16) {
            row[32..48].iter_mut().for_each(|luma| *luma = 251 - *luma);
        }
        assert_eq!(read(&damaged, WIDTH, [16.0, 16.0]), Value::Null);
    }
}

/// A page that streams barcodes to itself over a real peer connection, and looks like the host's.
const OWN_STREAM: &str = r#"<!doctype html><canvas width="WIDTH" height="HEIGHT"></canvas><video muted></video>
<script>
const pictures = PICTURES, canvas = document.querySelector("canvas"), heard = [];
const context = canvas.getContext("2d");
let at = 0, presses = 0, counted = 0;
for (const kind of ["keydown", "pointerdown"])
  addEventListener(kind, () => (++presses % 4 ? counted++ : counted));
setInterval(() => {
  const image = context.createImageData(WIDTH, HEIGHT);
  pictures[CHOICE].forEach((luma, pixel) =>
    image.data.set([luma, luma, luma, 255], 4 * pixel));
  context.putImageData(image, 0, 0);
}, 100);
(async () => {
  const [sender, pc] = [new RTCPeerConnection(), new RTCPeerConnection()];
  sender.onicecandidate = ({ candidate }) => candidate && pc.addIceCandidate(candidate);
  pc.onicecandidate = ({ candidate }) => candidate && sender.addIceCandidate(candidate);
  sender.addTrack(canvas.captureStream().getTracks()[0]);
  const tracks = new Promise((resolve) => (pc.ontrack = ({ track }) => resolve(track)));
  await sender.setLocalDescription();
  await pc.setRemoteDescription(sender.localDescription);
  await pc.setLocalDescription();
  await sender.setRemoteDescription(pc.localDescription);
  const [track, video] = [await tracks, document.querySelector("video")];
  video.srcObject = new MediaStream([track]);
  video.play();
  window.heliostat = { pc, video, track, state: "live" };
  const socket = new WebSocket(`ws://${location.host}/`);
  socket.onmessage = ({ data }) => heard.push(data);
  const params = { frames: [{ rtp: 5, capturedUs: 1000, queueUs: 3, repeated: false }] };
  for (const data of [{ method: "statsFrames", params }, { method: "hostState" }])
    socket.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(data) }));
})();
</script>"#;

/// Answers every request with `page`, for as long as the test runs.
fn serve(page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let length = page.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\nContent-Security-Policy: worker-src 'none'\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(page.as_bytes());
        }
    });
    url
}

#[test]
fn every_decoded_frame_is_read_and_joined() {
    const PICTURES: u32 = 6;
    let pictures: Vec<Vec<u8>> = (0..PICTURES).map(|number| luma(code(number))).collect();
    let page = own_stream(barcode::SIZE, &pictures, "at++ % pictures.length");
    let url = serve(page);
    let mut stage = stage();
    let cdp = &mut stage.browser.cdp;
    let page = MeasuredPage::open(cdp, barcode::SIZE).unwrap();
    let (first_ms, first) = page.show(cdp, &url).unwrap();
    assert!(first_ms > 0.0);

    let clock = page.compare_clocks(cdp).unwrap();
    assert!(clock.least_ms <= clock.most_ms, "{clock:?}");
    assert!(clock.correction_ms().abs() < 1000.0, "{clock:?}");

    let mut recording = Recording::default();
    recording.add(first);
    let everything = Window {
        from_ms: 0.0,
        to_ms: f64::MAX,
        page_ahead_ms: 0.0,
    };
    let deadline = Instant::now() + PICTURE_LIMIT;
    loop {
        recording.add(page.take(cdp).unwrap());
        let decoded = recording.decoded(everything);
        let joined = decoded
            .frames
            .iter()
            .filter(|frame| frame.received_ms.is_some())
            .count();
        // The browser's compositor may leave some out: those have no first sight.
        if decoded.frames.len() == PICTURES as usize && joined > 0 {
            for frame in &decoded.frames {
                assert_eq!(frame.drawn_ms, code(frame.number).time_us as f64 / 1000.0);
                if let (Some(received), Some(seen)) = (frame.received_ms, frame.seen_ms) {
                    assert!(received < frame.readable_ms && received < seen, "{frame:?}");
                }
            }
            break;
        }
        assert!(Instant::now() < deadline, "{decoded:?}");
    }
    let counters = page.receiver(cdp).unwrap();
    let zero = ReceiverCounters::new(json!({"inbound": {"framesDecoded": 0}}));
    assert!(counters.video_since(&zero, "framesDecoded").unwrap() > 0.0);
    assert_eq!(counters.video_since(&zero, "noSuchCounter"), None);

    // The page is spared the reports that were asked for on its socket, and hears all else.
    let heard = cdp.evaluate(&page.tab, "JSON.stringify(heard)").unwrap();
    assert_eq!(heard, r#"["{\"method\":\"hostState\"}"]"#);
}

#[test]
fn presses_are_timed_and_those_without_effect_are_missed() {
    let size = barcode::SIZE_WITH_PRESSES;
    let picture = |count: u32| {
        luma_of(size, |canvas| {
            code(7).draw(canvas);
            code(count).draw_presses(canvas);
        })
    };
    let pictures: Vec<Vec<u8>> = (0..5).map(picture).collect();
    // Every fourth press has no effect.
    let url = serve(own_stream(size, &pictures, "counted"));
    let mut stage = stage();
    let cdp = &mut stage.browser.cdp;
    let page = MeasuredPage::open(cdp, size).unwrap();
    page.show(cdp, &url).unwrap();
    let mut presser = Presser::new(cdp, &page).unwrap();
    presser.watch(cdp, code(0).time_us as f64 / 1000.0).unwrap();
    let presses: Vec<_> = (0..5).map(|_| presser.press(cdp).unwrap()).collect();
    let kinds: Vec<PressKind> = presses.iter().map(|press| press.kind).collect();
    let (key, click) = (PressKind::Key, PressKind::Click);
    assert_eq!(kinds, [key, click, key, click, key]);
    let counts = presses.iter().map(|press| press.shown.map(|shown| shown.3));
    let expected = [Some(1), Some(2), Some(3), None, Some(4)];
    assert_eq!(counts.collect::<Vec<_>>(), expected);
    for pair in presses.windows(2) {
        assert!(pair[0].pressed_ms < pair[1].pressed_ms, "{pair:?}");
    }
    for press in presses {
        let Some((readable_ms, _, heard_us, count)) = press.shown else {
            continue;
        };
        assert!(press.pressed_ms < readable_ms, "{press:?}");
        assert_eq!(heard_us, code(count).time_us as f64);
    }
    let counted = cdp.evaluate(&page.tab, "[presses, counted]").unwrap();
    assert_eq!(counted, json!([5, 4]));
}

#[test]
fn clocks_that_may_agree_are_not_corrected() {
    let agreeing = ClockBounds::UNKNOWN
        .narrowed(10.0, 10.4, 11.0)
        .narrowed(20.0, 20.6, 20.7);
    assert_eq!(agreeing.correction_ms(), 0.0);
    let ahead = ClockBounds::UNKNOWN
        .narrowed(10.0, 60.5, 11.0)
        .narrowed(20.0, 70.2, 21.0);
    assert!((ahead.correction_ms() - 49.85).abs() < 1e-9, "{ahead:?}");
}

#[test]
fn the_plot_is_a_document_that_browsers_read() {
    let frames = |scale: f64| {
        (1..400)
            .map(move |n| crate::report::tests::frame(n, scale))
            .collect()
    };
    let report = |name, scale| {
        let variant = Variant {
            name,
            binary: "heliostat".into(),
            flags: vec!["--encoder".to_owned(), "<x264> & \"more\"".to_owned()],
        };
        VariantReport::of_frames(&variant, frames(scale))
    };
    let machine = Machine::look("Chromium <156>".to_owned());
    let options = BenchOptions::default();
    let reports = vec![report("A", 0.3), report("B", 0.5)];
    let mut stage = stage();
    let cdp = &mut stage.browser.cdp;
    let tab = cdp.open_tab().unwrap();
    for variants in [reports, vec![report("A", 0.3)], Vec::new()] {
        // Three of frames, and two of presses for each kind in each scene.
        let bars = 11 * variants.len();
        let svg = crate::plot::draw(&Report::new(&options, machine.clone(), variants));
        let parse = format!(
            "(() => {{ const d = new DOMParser().parseFromString({}, 'image/svg+xml');
             return [d.querySelector('parsererror')?.textContent ?? '', d.documentElement.nodeName,
               [...d.querySelectorAll('text')].filter((t) => / p?(50|95|99)$|^p\\d\\d$/.test(t.textContent)).length,
               svgIsFinite(d)];
             function svgIsFinite(d) {{ return !/NaN|Infinity/i.test(new XMLSerializer().serializeToString(d)); }} }})()",
            json!(svg)
        );
        let parsed = cdp.evaluate(&tab, &parse).unwrap();
        let described = if bars == 0 {
            json!(["", "svg", 0, true])
        } else {
            json!(["", "svg", bars, true])
        };
        assert_eq!(parsed, described);
    }
}
