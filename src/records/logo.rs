//! Logos of apps: pictures that can't do anything.
//!
//! Spec: RFC 7591 section 2 (`logo_uri`) and section 5

use crate::records::RecordError;
use crate::store::Logo;

/// The largest logo, in bytes.
pub const LOGO_BYTES: usize = 256 << 10;

/// The logo in `bytes`. What it is, its first bytes tell, not whoever sends it; SVG is none, since it can hold programs.
pub fn logo(bytes: Vec<u8>) -> Result<Logo, RecordError> {
    if bytes.len() > LOGO_BYTES {
        return Err(RecordError::UnfitLogo("it has more than 262144 bytes"));
    }
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    let media = match &*bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        _ if is_webp => "image/webp",
        _ => return Err(RecordError::UnfitLogo("use a picture in PNG, JPEG or WebP")),
    };
    Ok(Logo { media: media.to_owned(), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_a_logo_is() {
        let media = |bytes: &[u8]| logo(bytes.to_vec()).ok().map(|logo| logo.media);

        assert_eq!(media(b"\x89PNG\r\n\x1a\nrest").as_deref(), Some("image/png"));
        assert_eq!(media(b"\xff\xd8\xff\xe0rest").as_deref(), Some("image/jpeg"));
        assert_eq!(media(b"RIFF\0\0\0\0WEBPVP8 ").as_deref(), Some("image/webp"));
        for wrong in [
            &b""[..],
            b"<svg xmlns=",
            b"<?xml",
            b"GIF89a",
            b"RIFF\0\0\0\0WAVE",
            b"RIFF",
            b"\x89PNG",
            b" \x89PNG\r\n\x1a\n",
        ] {
            assert_eq!(media(wrong), None, "{wrong:?}");
        }
        let large = |size: usize| [b"\xff\xd8\xff".to_vec(), vec![0; size - 3]].concat();
        assert!(logo(large(LOGO_BYTES)).is_ok() && logo(large(LOGO_BYTES + 1)).is_err());
    }
}
