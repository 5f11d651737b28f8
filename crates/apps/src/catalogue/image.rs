//! An app's picture: a PNG of bounded size. Its pixels are the client's to decode.

use super::{open_file, read_at_most};
use crate::error::ImageProblem;
use std::path::Path;

/// The largest picture, as a file.
pub const MAX_IMAGE_BYTES: u64 = 4 << 20;

const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// Reads a picture.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ImageProblem> {
    let bytes = read_at_most(&open_file(path)?, MAX_IMAGE_BYTES)?;
    check(&bytes)?;
    Ok(bytes)
}

/// Whether this begins as a PNG does: its signature, then the header with a size.
fn check(bytes: &[u8]) -> Result<(), ImageProblem> {
    let Some(rest) = bytes.strip_prefix(&SIGNATURE) else {
        return Err(ImageProblem::NotPng);
    };
    // A chunk: length, type, then the header's 13 bytes, width and height first, and a checksum.
    let (Some(b"\0\0\0\x0dIHDR"), Some(size), true) =
        (rest.get(..8), rest.get(8..16), rest.len() >= 25)
    else {
        return Err(ImageProblem::NoHeader);
    };
    let (width, height) = size.split_at(4);
    if width == [0; 4] || height == [0; 4] {
        return Err(ImageProblem::NoPixels);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    //! Headers, whole and broken.

    use super::*;

    fn header(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend(*b"\0\0\0\x0dIHDR");
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0, 1, 2, 3, 4]);
        bytes
    }

    #[test]
    fn a_png_is_known_by_its_signature_and_its_header() {
        let whole = header(600, 800);
        assert!(check(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(check(&whole[..length]).is_err(), "{length} bytes");
        }
        assert!(check(&header(0, 800)).is_err());
        assert!(check(&header(600, 0)).is_err());
        assert!(check(b"\xff\xd8\xff\xe0 and so on, as JPEG does").is_err());
    }
}
