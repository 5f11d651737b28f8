//! FFmpeg's objects with an owner each, freed when that owner goes.

use crate::{Error, sys};
use std::ffi::CString;
use std::ptr::{self, NonNull};

/// Implements an owner: how the object is made, and how it is freed.
macro_rules! owner {
    ($(#[$doc:meta])* $name:ident, $raw:ty, $alloc:path, $free:path) => {
        $(#[$doc])*
        pub(crate) struct $name(NonNull<$raw>);

        impl $name {
            pub(crate) fn new() -> Result<Self, Error> {
                // SAFETY: allocates and takes nothing of ours.
                NonNull::new(unsafe { $alloc() }).map(Self).ok_or(Error::Memory)
            }

            pub(crate) fn as_ptr(&self) -> *mut $raw {
                self.0.as_ptr()
            }

            pub(crate) fn fields(&self) -> &$raw {
                // SAFETY: allocated by FFmpeg, alive until drop; FFmpeg writes to it only during
                // calls, which take the owner exclusively.
                unsafe { self.0.as_ref() }
            }

            pub(crate) fn fields_mut(&mut self) -> &mut $raw {
                // SAFETY: as above, and borrowed exclusively.
                unsafe { self.0.as_mut() }
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                let mut raw = self.0.as_ptr();
                // SAFETY: allocated by its counterpart and freed only here.
                unsafe { $free(&raw mut raw) }
            }
        }
    };
}

owner!(
    /// A picture, or room for one.
    FrameBox, sys::AVFrame, sys::av_frame_alloc, sys::av_frame_free
);
owner!(
    /// An access unit, or room for one.
    PacketBox, sys::AVPacket, sys::av_packet_alloc, sys::av_packet_free
);

/// An encoder or decoder, open or not.
pub(crate) struct ContextBox(NonNull<sys::AVCodecContext>);

impl ContextBox {
    pub(crate) fn new(codec: *const sys::AVCodec) -> Result<Self, Error> {
        // SAFETY: `codec` is one of FFmpeg's static descriptions.
        let raw = unsafe { sys::avcodec_alloc_context3(codec) };
        NonNull::new(raw).map(Self).ok_or(Error::Memory)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::AVCodecContext {
        self.0.as_ptr()
    }

    pub(crate) fn fields(&self) -> &sys::AVCodecContext {
        // SAFETY: allocated by FFmpeg, alive until drop.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn fields_mut(&mut self) -> &mut sys::AVCodecContext {
        // SAFETY: as above, and borrowed exclusively.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for ContextBox {
    fn drop(&mut self) {
        let mut raw = self.0.as_ptr();
        // SAFETY: allocated by `avcodec_alloc_context3` and freed only here.
        unsafe { sys::avcodec_free_context(&raw mut raw) }
    }
}

/// A reference to something that FFmpeg counts references of.
pub(crate) struct BufferRef(NonNull<sys::AVBufferRef>);

impl BufferRef {
    /// Takes over a reference that FFmpeg gave out; `None` for none.
    pub(crate) fn owning(raw: *mut sys::AVBufferRef) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::AVBufferRef {
        self.0.as_ptr()
    }

    /// One more reference, for FFmpeg to own.
    pub(crate) fn share(&self) -> Result<*mut sys::AVBufferRef, Error> {
        // SAFETY: the reference is alive.
        let raw = unsafe { sys::av_buffer_ref(self.0.as_ptr()) };
        if raw.is_null() {
            return Err(Error::Memory);
        }
        Ok(raw)
    }
}

impl Drop for BufferRef {
    fn drop(&mut self) {
        let mut raw = self.0.as_ptr();
        // SAFETY: a reference of our own, given back once.
        unsafe { sys::av_buffer_unref(&raw mut raw) }
    }
}

/// Settings by name.
pub(crate) struct Dictionary(*mut sys::AVDictionary);

impl Dictionary {
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Result<Self, Error> {
        let mut dictionary = Self(ptr::null_mut());
        for (key, value) in pairs {
            let text = |text: &str| CString::new(text).map_err(|_| Error::Setting("option"));
            let (key, value) = (text(key)?, text(value)?);
            let place = &raw mut dictionary.0;
            // SAFETY: both strings end in NUL and are copied; `place` holds a dictionary or null.
            if unsafe { sys::av_dict_set(place, key.as_ptr(), value.as_ptr(), 0) } < 0 {
                return Err(Error::Memory);
            }
        }
        Ok(dictionary)
    }

    /// Where FFmpeg takes out what it knows.
    pub(crate) fn place(&mut self) -> *mut *mut sys::AVDictionary {
        &raw mut self.0
    }
}

impl Drop for Dictionary {
    fn drop(&mut self) {
        // SAFETY: a dictionary that only we hold, or null.
        unsafe { sys::av_dict_free(&raw mut self.0) }
    }
}
