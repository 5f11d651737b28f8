//! Pictures in the memory of a VA-API device, copied there from ordinary memory.

use crate::owned::{BufferRef, ContextBox, FrameBox};
use crate::{Error, sys, words};
use std::ffi::{CString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// The pictures of one encoder.
pub(crate) struct Surfaces {
    frames: BufferRef,
    /// The picture handed to the encoder last.
    surface: FrameBox,
}

impl Surfaces {
    /// Opens the device and makes `context` an encoder of pictures in its memory.
    pub(crate) fn attach(context: &mut ContextBox, device: &Path) -> Result<Self, Error> {
        let path = CString::new(device.as_os_str().as_bytes());
        let path = path.map_err(|_| Error::Setting("device"))?;
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` takes the new reference; the path ends in NUL and is only read.
        let code = unsafe {
            sys::av_hwdevice_ctx_create(
                &raw mut raw,
                sys::AV_HWDEVICE_TYPE_VAAPI,
                path.as_ptr(),
                ptr::null_mut(),
                0,
            )
        };
        let device = BufferRef::owning(raw).filter(|_| code >= 0);
        let device = device.ok_or_else(|| Error::Open(words(code)))?;
        // SAFETY: the device is alive; the new object holds a reference to it.
        let frames = BufferRef::owning(unsafe { sys::av_hwframe_ctx_alloc(device.as_ptr()) });
        let frames = frames.ok_or(Error::Memory)?;
        let (width, height) = (context.fields().width, context.fields().height);
        // SAFETY: what `av_hwframe_ctx_alloc` returns refers to an `AVHWFramesContext`, which
        // nobody else uses before it is initialised.
        let set = unsafe { &mut *(*frames.as_ptr()).data.cast::<sys::AVHWFramesContext>() };
        set.format = sys::AV_PIX_FMT_VAAPI;
        set.sw_format = sys::AV_PIX_FMT_NV12;
        (set.width, set.height) = (width, height);
        // SAFETY: filled in above, and not initialised before.
        let code = unsafe { sys::av_hwframe_ctx_init(frames.as_ptr()) };
        if code < 0 {
            return Err(Error::Open(words(code)));
        }
        let fields = context.fields_mut();
        fields.pix_fmt = sys::AV_PIX_FMT_VAAPI;
        fields.hw_frames_ctx = frames.share()?;
        let surface = FrameBox::new()?;
        Ok(Self { frames, surface })
    }

    /// Copies a picture to the device.
    pub(crate) fn upload(&mut self, picture: &FrameBox) -> Result<&mut FrameBox, Error> {
        let check = |code: c_int| match code {
            code if code < 0 => Err(Error::Picture(words(code))),
            _ => Ok(()),
        };
        let surface = self.surface.as_ptr();
        // SAFETY: a frame of ours; the encoder has a reference of its own to what it still needs.
        unsafe { sys::av_frame_unref(surface) };
        // SAFETY: initialised frames and an empty frame to fill.
        check(unsafe { sys::av_hwframe_get_buffer(self.frames.as_ptr(), surface, 0) })?;
        // SAFETY: two frames of the same size, one on the device, one with planes of NV12.
        check(unsafe { sys::av_hwframe_transfer_data(surface, picture.as_ptr(), 0) })?;
        Ok(&mut self.surface)
    }
}
