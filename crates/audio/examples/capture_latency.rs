//! Prints how long sound takes from a program that plays it (`pacat`, which asks for 10 ms) to the
//! captured frame: `capture_latency SPEC`, with the servers that the environment names.

use audio::{
    AudioFormat, AudioFrame, AudioSpec, ChannelLayout, FrameDuration, Heard, SourceRequest,
    StopSignal,
};
use media::MonoTime;
use std::error::Error;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const CLICKS: usize = 40;
const CLICK_EVERY: Duration = Duration::from_millis(250);
const PIECE: Duration = Duration::from_millis(5);
/// Samples of both channels in a piece.
const PIECE_VALUES: usize = 480;

fn main() -> Result<(), Box<dyn Error>> {
    let spec: AudioSpec = std::env::args()
        .nth(1)
        .as_deref()
        .unwrap_or("auto")
        .parse()?;
    let format = AudioFormat {
        layout: ChannelLayout::Stereo,
        frame: FrameDuration::Ms5,
    };
    let request = SourceRequest {
        format,
        ..SourceRequest::default()
    };
    let stop = StopSignal::new()?;
    let mut source = audio::open(&spec, &request, &stop)?;
    println!("{}", source.info().detail);
    let clicked = Arc::new(Mutex::new(None));
    let ((mut player, mut input), for_player) = (player()?, Arc::clone(&clicked));
    std::thread::spawn(move || click(&mut input, &for_player));
    let (mut frame, mut delays_ms) = (AudioFrame::new(format), Vec::new());
    while delays_ms.len() < CLICKS {
        let deadline = MonoTime::now() + CLICK_EVERY * 20;
        if source.next_frame(&mut frame, deadline, &stop)? != Heard::Frame {
            return Err("no sound comes".into());
        }
        if frame.values().iter().any(|value| value.abs() > 0.1) {
            let mut clicked = clicked.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = clicked.take() {
                delays_ms.push(MonoTime::now().since(at).as_secs_f64() * 1e3);
            }
        }
    }
    player.kill()?;
    player.wait()?;
    delays_ms.sort_by(f64::total_cmp);
    println!(
        "from the player's input to the frame, ms: least {:.1}, median {:.1}, most {:.1}",
        delays_ms[0],
        delays_ms[CLICKS / 2],
        delays_ms[CLICKS - 1],
    );
    Ok(())
}

/// A player, and its input. A pipe would not do: whatever the player could not take in time stands in
/// it for good, and it has room for 170 ms.
fn player() -> std::io::Result<(Child, UnixStream)> {
    let (input, output) = UnixStream::pair()?;
    rustix::net::sockopt::set_socket_send_buffer_size(&input, 0)?;
    let player = Command::new("pacat")
        .args(["--playback", "--raw", "--format=float32le", "--rate=48000"])
        .args(["--channels=2", "--latency-msec=10"])
        .stdin(OwnedFd::from(output))
        .spawn()?;
    Ok((player, input))
}

/// Silence at the pace of sound, with a click now and then; `clicked` tells when.
fn click(input: &mut impl Write, clicked: &Mutex<Option<MonoTime>>) {
    let (silence, loud) = (
        [0_u8; PIECE_VALUES * 4],
        [0.5_f32.to_le_bytes(); PIECE_VALUES].concat(),
    );
    let (start, pieces_a_click) = (MonoTime::now(), CLICK_EVERY.as_millis() / PIECE.as_millis());
    for piece in 1_u32.. {
        let due = start + PIECE * piece;
        std::thread::sleep(due.since(MonoTime::now()));
        let is_click = u128::from(piece) % pieces_a_click == 0;
        let bytes = if is_click { &loud[..] } else { &silence };
        if is_click {
            *clicked.lock().unwrap_or_else(PoisonError::into_inner) = Some(MonoTime::now());
        }
        if input.write_all(bytes).and_then(|()| input.flush()).is_err() {
            return;
        }
    }
}
