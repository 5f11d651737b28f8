//! What the probe found, in words: a line a second, and a table at the end.

use probe::{App, HostInfo, Percentiles, Report, Summary};
use serde::Serialize;
use std::fmt::Write;

/// One line of `--json`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line<'a> {
    Second(&'a Report),
    Summary(&'a Summary),
}

/// Limelight.h, `SCM_*`, of which these are what a host may offer today.
const CODEC_MODES: &[(u32, &str)] = &[
    (0x1, "H.264"),
    (0x100, "HEVC"),
    (0x200, "HEVC 10 bit"),
    (0x1_0000, "AV1"),
    (0x2_0000, "AV1 10 bit"),
    (0x4_0000, "H.264 4:4:4"),
    (0x8_0000, "HEVC 4:4:4"),
    (0x10_0000, "HEVC 4:4:4 10 bit"),
    (0x20_0000, "AV1 4:4:4"),
    (0x40_0000, "AV1 4:4:4 10 bit"),
];

pub(super) fn info(info: &HostInfo) -> String {
    let offered = CODEC_MODES
        .iter()
        .filter(|(bit, _)| info.codec_modes & bit != 0);
    let codecs: Vec<_> = offered.map(|(_, name)| *name).collect();
    let running = info.running_app.map_or_else(
        || "nothing that this client could go on with".to_owned(),
        |id| format!("app {id}"),
    );
    let paired = if info.paired { "yes" } else { "no" };
    let rows = [
        ("name", info.hostname.clone()),
        ("version", info.app_version.clone()),
        ("identity", info.unique_id.clone()),
        ("HTTPS port", info.https_port.to_string()),
        ("codecs", codecs.join(", ")),
        ("modes", info.display_modes.join(", ")),
        (
            "card",
            info.mac.clone().unwrap_or_else(|| "not told".to_owned()),
        ),
        ("paired", paired.to_owned()),
        ("running", running),
    ];
    table(rows.map(|(name, value)| (name, value)))
}

pub(super) fn apps(apps: &[App]) -> String {
    if apps.is_empty() {
        return "The host has no apps.\n".to_owned();
    }
    let mut text = format!("{:<12} {}\n", "ID", "TITLE");
    for app in apps {
        text += &format!("{:<12} {}\n", app.id, app.title);
    }
    text
}

/// Rows of a name and a value; what has no value is left out.
fn table<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let shown = rows.into_iter().filter(|(_, value)| !value.is_empty());
    shown
        .map(|(name, value)| format!("{name:<13} {value}\n"))
        .collect()
}

/// One second of a stream, in one line.
pub(super) fn second(report: &Report) -> String {
    let mut line = format!(
        "{:>5.0} s  {:>5.1} fps  {:>7.0} kb/s",
        report.at_s, report.fps, report.video_kbps
    );
    if let Some(rtt_ms) = report.rtt_ms {
        // Writing to a String does not fail.
        let _ = write!(line, "  rtt {rtt_ms:.1} ms");
    }
    if let Some(Percentiles { p50, max, .. }) = report.host_latency_ms {
        let _ = write!(line, "  host {p50:.1} ms, at most {max:.1}");
    }
    let _ = write!(line, "  worst gap {:.0} ms", report.interval_ms.max);
    let noteworthy = [
        (report.packets.missing, "packets lost"),
        (report.packets.dropped_on_purpose, "dropped on purpose"),
        (report.packets.recovered, "recovered"),
        (report.frames_missing, "frames missing"),
        (report.repaired_frames, "repaired"),
        (report.keyframes, "keyframes"),
        (report.audio.lost, "audio packets lost"),
        (damage(report), "damaged"),
        (report.violations.values().sum(), "violations"),
    ];
    for (count, what) in noteworthy.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(line, "  {count} {what}");
    }
    line.push('\n');
    line
}

fn damage(report: &Report) -> u64 {
    let decoded = report.decoded.unwrap_or_default();
    let bitstream = report.bitstream;
    decoded.damaged
        + decoded.failures
        + bitstream.malformed
        + bitstream.missing_references
        + bitstream.missing_parameters
}

/// The whole stream.
pub(super) fn summary(summary: &Summary) -> String {
    let Summary { setup, total, .. } = summary;
    let sealed = match (setup.encrypted_video, setup.encrypted_audio) {
        (true, true) => "everything encrypted",
        (true, false) => "video and control encrypted",
        (false, true) => "audio and control encrypted",
        (false, false) => "control encrypted",
    };
    let repaired_by = if setup.invalidates_references {
        "losses repaired without keyframes"
    } else {
        "losses repaired by keyframes"
    };
    let resumed = if setup.resumed {
        "the app ran already"
    } else {
        "the app was started"
    };
    let ended = if summary.ended_by_host {
        ", ended by the host"
    } else {
        ""
    };
    let host = total.host_latency_ms.map(|latency| {
        format!(
            "{:.1} ms median, {:.1} ms for 95 %, {:.1} ms at most, as it says",
            latency.p50, latency.p95, latency.max
        )
    });
    let rtt = total.rtt_ms.map(|rtt_ms| format!("{rtt_ms:.1} ms"));
    let rows = [
        ("stream", format!("{}, {sealed}", setup.codec)),
        ("", String::new()),
        ("session", format!("{resumed}; {repaired_by}")),
        ("time", format!("{:.1} s{ended}", total.duration_s)),
        ("frames", frames(total)),
        ("intervals", intervals(total)),
        ("host", host.unwrap_or_default()),
        ("round trip", rtt.unwrap_or_default()),
        ("bitrate", format!("{:.0} kb/s of video", total.video_kbps)),
        ("packets", packets(total)),
        ("repairs", repairs(total)),
        ("picture", picture(total)),
        ("sound", sound(summary)),
        ("violations", violations(total)),
    ];
    format!("\n{}", table(rows))
}

fn frames(total: &Report) -> String {
    format!(
        "{} shown ({:.1} a second), {} missing, of which the host left out {}, {} saved by parity",
        total.frames,
        total.fps,
        total.frames_missing,
        total.frames_never_sent,
        total.frames_recovered
    )
}

fn intervals(total: &Report) -> String {
    let (interval, assembly) = (total.interval_ms, total.assembly_ms);
    format!(
        "{:.1} ms ± {:.1}, at most {:.0}; from first packet to last {:.1} ms, at most {:.0}",
        interval.mean, interval.deviation, interval.max, assembly.mean, assembly.max
    )
}

fn packets(total: &Report) -> String {
    let packets = total.packets;
    format!(
        "{} of video, {} lost, {} dropped on purpose, {} recovered, {} out of order",
        packets.received,
        packets.missing,
        packets.dropped_on_purpose,
        packets.recovered,
        packets.reordered
    )
}

fn repairs(total: &Report) -> String {
    let worst = total.repairs.iter().map(|repair| repair.gap_ms);
    let worst = worst.fold(0.0, f64::max);
    let gaps = if total.repairs.is_empty() {
        String::new()
    } else {
        format!("; {} gaps, at most {worst:.0} ms", total.repairs.len())
    };
    format!(
        "{} asked for without keyframe, {} keyframes asked for; {} and {} came{gaps}",
        total.invalidations_requested,
        total.keyframes_requested,
        total.repaired_frames,
        total.keyframes
    )
}

fn picture(total: &Report) -> String {
    let bitstream = total.bitstream;
    let faults = [
        (bitstream.malformed, "units malformed"),
        (bitstream.missing_references, "units refer to what is lost"),
        (bitstream.missing_parameters, "keyframes without parameters"),
    ];
    let faults = faults.into_iter().filter(|(count, _)| *count > 0);
    let mut said: Vec<_> = faults
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match total.decoded {
        None => said.push("not decoded".to_owned()),
        Some(decoded) => said.push(format!(
            "{} decoded at {}x{}, {} damaged, {} refused",
            decoded.pictures, decoded.width, decoded.height, decoded.damaged, decoded.failures
        )),
    }
    said.join(", ")
}

fn sound(summary: &Summary) -> String {
    let (setup, audio) = (&summary.setup, &summary.total.audio);
    let mut said = format!(
        "{} channels, {} packets of {} ms, {} recovered, {} lost",
        setup.audio_channels, audio.packets, setup.audio_packet_ms, audio.recovered, audio.lost
    );
    if audio.failures > 0 {
        said += &format!(", {} refused by the decoder", audio.failures);
    }
    if audio.tones_hz.iter().any(|&tone_hz| tone_hz > 0.0) {
        let tones = audio.tones_hz.iter().map(|tone_hz| format!("{tone_hz:.0}"));
        said += &format!("; loudest at {} Hz", tones.collect::<Vec<_>>().join(", "));
    }
    said
}

fn violations(total: &Report) -> String {
    let said = total.violations.iter();
    let said: Vec<_> = said
        .map(|(what, count)| format!("{count} × {what}"))
        .collect();
    if said.is_empty() {
        "none".to_owned()
    } else {
        said.join(", ")
    }
}

/// The digits of a PIN, five rows high.
const DIGITS: [[&str; 5]; 10] = [
    ["███", "█ █", "█ █", "█ █", "███"],
    [" █ ", "██ ", " █ ", " █ ", "███"],
    ["███", "  █", "███", "█  ", "███"],
    ["███", "  █", "███", "  █", "███"],
    ["█ █", "█ █", "███", "  █", "  █"],
    ["███", "█  ", "███", "  █", "███"],
    ["███", "█  ", "███", "█ █", "███"],
    ["███", "  █", "  █", "  █", "  █"],
    ["███", "█ █", "███", "█ █", "███"],
    ["███", "█ █", "███", "  █", "███"],
];

/// A PIN as it can be read from across a room, and as it can be copied.
pub(super) fn big_pin(pin: &str) -> String {
    let digits: Vec<_> = pin
        .bytes()
        .filter_map(|byte| DIGITS.get(usize::from(byte.wrapping_sub(b'0'))))
        .collect();
    let mut text = String::from("\n");
    for row in 0..5 {
        let rows: Vec<_> = digits
            .iter()
            .map(|digit| digit[row].chars().flat_map(|c| [c, c]).collect::<String>())
            .collect();
        text += &format!("    {}\n", rows.join("   ").trim_end());
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_shown_digit_by_digit() {
        let shown = big_pin("17");
        let rows: Vec<_> = shown.trim_matches('\n').lines().collect();
        assert_eq!(rows[0], "      ██     ██████");
        assert_eq!(rows[4], "    ██████       ██");
        assert_eq!(rows.len(), 5);
    }

    #[test]
    fn a_line_a_second_names_only_what_happened() {
        let mut report = Report::default();
        assert!(!second(&report).contains("lost"), "{}", second(&report));
        report.packets.missing = 3;
        assert!(second(&report).contains("3 packets lost"));
    }
}
