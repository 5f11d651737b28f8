//! Encoder parameters: a preset, then only such changes as keep every picture free of delay.

use crate::Error;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ops::RangeInclusive;
use x264_sys as sys;

/// How much time libx264 spends on a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// The least.
    Ultrafast,
    /// Sub-pixel motion and more partitions.
    Superfast,
}

impl Preset {
    const fn name(self) -> &'static CStr {
        match self {
            Self::Ultrafast => c"ultrafast",
            Self::Superfast => c"superfast",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Ultrafast => "ultrafast",
            Self::Superfast => "superfast",
        }
    }
}

/// Highest H.264 quantiser.
const MAX_QUANTISER: i32 = 51;

/// Parameters of an encoder, started from a preset with the tuning `zerolatency`.
#[derive(Clone)]
pub struct Params {
    pub(crate) raw: sys::x264_param_t,
}

impl Params {
    /// The preset with every source of delay, reordering and unasked keyframes switched off.
    ///
    /// # Errors
    /// [`Error::Preset`] when the library lacks the preset.
    pub fn new(preset: Preset) -> Result<Self, Error> {
        let mut raw = MaybeUninit::<sys::x264_param_t>::zeroed();
        // SAFETY: `raw` is writable memory of the size the header gives; both strings end in NUL.
        // The call fills the whole struct (it starts with `x264_param_default`).
        let status = unsafe {
            sys::x264_param_default_preset(
                raw.as_mut_ptr(),
                preset.name().as_ptr(),
                c"zerolatency".as_ptr(),
            )
        };
        if status != 0 {
            return Err(Error::Preset(preset.text()));
        }
        // SAFETY: initialised above; zeroed bytes are valid for every field besides.
        let mut raw = unsafe { raw.assume_init() };
        raw.i_log_level = sys::X264_LOG_NONE;
        raw.i_csp = sys::X264_CSP_I420 as i32;
        raw.b_annexb = 1;
        raw.b_repeat_headers = 1;
        raw.b_aud = 0;
        raw.b_vfr_input = 0;
        raw.b_deterministic = 1;
        raw.i_keyint_max = sys::X264_KEYINT_MAX_INFINITE as i32;
        raw.i_scenecut_threshold = 0;
        raw.b_intra_refresh = 0;
        raw.i_bframe = 0;
        raw.i_bframe_adaptive = 0;
        raw.i_frame_reference = 1;
        raw.b_cabac = 1;
        raw.analyse.i_weighted_pred = 0;
        raw.analyse.b_mb_info = 1;
        raw.rc.i_lookahead = 0;
        raw.rc.b_mb_tree = 0;
        Ok(Self { raw }.quantisers(1..=51))
    }

    /// Picture size in pixels.
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.raw.i_width = i32::try_from(width).unwrap_or(i32::MAX);
        self.raw.i_height = i32::try_from(height).unwrap_or(i32::MAX);
        self
    }

    /// Pictures a second, for the timing information in the stream.
    #[must_use]
    pub fn rate(mut self, fps: u32) -> Self {
        self.raw.i_fps_num = fps;
        self.raw.i_fps_den = 1;
        self.raw.i_timebase_num = 1;
        self.raw.i_timebase_den = fps;
        self
    }

    /// Threads that share each picture, one slice each.
    #[must_use]
    pub fn sliced_threads(mut self, threads: u8) -> Self {
        self.raw.i_threads = i32::from(threads.max(1));
        self.raw.b_sliced_threads = i32::from(threads > 1);
        self
    }

    /// Pictures kept so that [`Encoder::invalidate`](crate::Encoder::invalidate) has something to
    /// go back to, 1 to 16. Motion is searched in one of them only.
    #[must_use]
    pub fn kept_pictures(mut self, pictures: u8) -> Self {
        self.raw.i_dpb_size = i32::from(pictures.clamp(1, 16));
        self
    }

    /// Whether block edges are smoothed.
    #[must_use]
    pub fn deblocking(mut self, on: bool) -> Self {
        self.raw.b_deblocking_filter = i32::from(on);
        self
    }

    /// Whether 4x4 intra blocks are tried, in pictures of every type.
    #[must_use]
    pub fn intra_4x4(mut self, on: bool) -> Self {
        let flag = sys::X264_ANALYSE_I4x4;
        for set in [&mut self.raw.analyse.intra, &mut self.raw.analyse.inter] {
            *set = if on { *set | flag } else { *set & !flag };
        }
        self
    }

    /// Whether the 8x8 transform (and with it the High profile) is used.
    #[must_use]
    pub fn transform_8x8(mut self, on: bool) -> Self {
        self.raw.analyse.b_transform_8x8 = i32::from(on);
        if !on {
            self.raw.analyse.intra &= !sys::X264_ANALYSE_I8x8;
        }
        self
    }

    /// BT.709 primaries, transfer and matrix, limited range, signalled in the stream.
    #[must_use]
    pub fn bt709_limited(mut self) -> Self {
        const BT709: i32 = 1;
        self.raw.vui.i_colorprim = BT709;
        self.raw.vui.i_transfer = BT709;
        self.raw.vui.i_colmatrix = BT709;
        self.raw.vui.b_fullrange = 0;
        self
    }

    /// Quantisers that pictures may ask for.
    ///
    /// The library derives this range from its constant quantiser and the factors of I and B
    /// pictures; both factors only serve to open the range, as each picture names its own.
    #[must_use]
    pub fn quantisers(mut self, range: RangeInclusive<u8>) -> Self {
        let low = i32::from(*range.start()).clamp(1, MAX_QUANTISER);
        let high = i32::from(*range.end()).clamp(low, MAX_QUANTISER);
        let middle = i32::midpoint(low, high);
        let factor = |steps: i32| 2_f32.powf(steps as f32 / 6.0);
        self.raw.rc.i_rc_method = sys::X264_RC_CQP as i32;
        self.raw.rc.i_qp_constant = middle;
        self.raw.rc.f_ip_factor = factor(middle - high);
        self.raw.rc.f_pb_factor = factor(low - middle);
        self.raw.rc.i_aq_mode = 0;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structs_of_header_and_library_agree() {
        // Defaults the library writes at both ends of the struct and of each nested one.
        let raw = Params::new(Preset::Ultrafast).unwrap().raw;
        assert_eq!(raw.i_level_idc, -1);
        assert_eq!(raw.vui.i_vidformat, 5);
        assert_eq!(raw.i_cqm_preset, 0);
        assert_eq!(raw.cqm_8pc, [16; 64]);
        assert_eq!(raw.analyse.i_mv_range, -1);
        assert_eq!(raw.analyse.i_luma_deadzone, [21, 11]);
        assert!((raw.rc.f_qblur - 0.5).abs() < 1e-6);
        assert!((raw.rc.f_complexity_blur - 20.0).abs() < 1e-6);
        assert_eq!(raw.i_frame_packing, -1);
        assert_eq!(raw.i_alternative_transfer, 2);
        assert_eq!((raw.i_fps_num, raw.i_fps_den), (25, 1));
        assert!(raw.nalu_process.is_none());
        assert!(raw.opaque.is_null());
    }

    #[test]
    fn presets_differ() {
        let fast = Params::new(Preset::Ultrafast).unwrap().raw;
        let better = Params::new(Preset::Superfast).unwrap().raw;
        assert_eq!(fast.analyse.i_subpel_refine, 0);
        assert_eq!(better.analyse.i_subpel_refine, 1);
    }
}
