//! Finds libavcodec and libavutil, and generates bindings for what is used of them from the
//! installed headers, so that any version since FFmpeg 4.4 does.

use std::error::Error;
use std::path::PathBuf;

/// The oldest versions whose headers have all that is used: those of FFmpeg 4.4.
const LIBRARIES: [(&str, &str); 2] = [("libavcodec", "58.134"), ("libavutil", "56.70")];

const HEADERS: &str = "
#include <libavcodec/avcodec.h>
#include <libavutil/dict.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/hwcontext.h>
#include <libavutil/log.h>
";

const FUNCTIONS: &str = "avcodec_(alloc_context3|version|find_decoder|find_encoder_by_name|free_context|\
    open2|receive_frame|receive_packet|send_frame|send_packet)|\
    av_buffer_(ref|unref)|av_dict_(free|set)|av_frame_(alloc|free|get_buffer|make_writable|unref)|\
    av_hwdevice_ctx_create|av_hwframe_(ctx_alloc|ctx_init|get_buffer|transfer_data)|\
    av_log_set_level|av_new_packet|av_packet_(alloc|free|unref)|av_strerror|av_version_info";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut builder = bindgen::Builder::default().header_contents("ffmpeg.h", HEADERS);
    for (name, version) in LIBRARIES {
        let library = pkg_config::Config::new()
            .atleast_version(version)
            .probe(name)?;
        for path in library.include_paths {
            builder = builder.clang_arg(format!("-I{}", path.display()));
        }
    }
    let bindings = builder
        .allowlist_function(FUNCTIONS)
        .allowlist_type("AVHWFramesContext")
        .allowlist_var("AV_(CODEC_FLAG|FRAME_FLAG|PKT_FLAG|LOG)_.*|FF_THREAD_SLICE")
        .prepend_enum_name(false)
        .generate_comments(false)
        .layout_tests(false)
        .derive_debug(false)
        .generate()?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    bindings.write_to_file(out.join("ffmpeg.rs"))?;
    Ok(())
}
