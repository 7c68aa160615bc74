//! Unpacking of compressed request bodies, with bounds on what comes out.
//!
//! Spec: RFC 9110 8.4

use std::io::Read;

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};

use crate::http::HttpError;

/// A body may unpack to so many times its size ..
const MOST_TIMES: usize = 100;
/// .. once it is larger than this.
const FREE_BYTES: usize = 1 << 20;
/// The largest window that a zstd body may ask for, as a power of two: 8 MiB, what its RFC recommends to support.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Packing {
    /// Reads `Content-Encoding`; `None` when the body is plain.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Packing>, HttpError> {
        let Some(value) = headers.get(CONTENT_ENCODING) else {
            return Ok(None);
        };
        let unsupported = || HttpError::UnsupportedMediaType("Content-Encoding must be gzip, deflate, br or zstd");
        match value.to_str().map_err(|_| unsupported())?.trim().to_ascii_lowercase().as_str() {
            "identity" | "" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Packing::Gzip)),
            "deflate" => Ok(Some(Packing::Deflate)),
            "br" => Ok(Some(Packing::Brotli)),
            "zstd" => Ok(Some(Packing::Zstd)),
            _ => Err(unsupported()),
        }
    }

    /// The most that a body of `packed_bytes` may unpack to.
    pub fn most_bytes(packed_bytes: usize, limit_bytes: usize) -> usize {
        packed_bytes.saturating_mul(MOST_TIMES).max(FREE_BYTES).min(limit_bytes)
    }

    /// The plain body; never holds more than `limit_bytes` of it.
    pub fn unpack(self, packed: &[u8], limit_bytes: usize) -> Result<Vec<u8>, HttpError> {
        let broken = |_| HttpError::BodyNotPacked;
        match self {
            Packing::Gzip => bounded(flate2::read::MultiGzDecoder::new(packed), packed.len(), limit_bytes),
            Packing::Deflate => bounded(flate2::read::ZlibDecoder::new(packed), packed.len(), limit_bytes),
            Packing::Brotli => bounded(brotli::Decompressor::new(packed, 4096), packed.len(), limit_bytes),
            Packing::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
                bounded(decoder, packed.len(), limit_bytes)
            }
        }
    }
}

fn bounded(unpacked: impl Read, packed_bytes: usize, limit_bytes: usize) -> Result<Vec<u8>, HttpError> {
    let most = Packing::most_bytes(packed_bytes, limit_bytes);
    let mut plain = Vec::with_capacity(packed_bytes.saturating_mul(4).min(most));
    // One byte more tells a body that is just within bounds from one that goes on.
    unpacked.take(most as u64 + 1).read_to_end(&mut plain).map_err(|_| HttpError::BodyNotPacked)?;
    if plain.len() <= most {
        Ok(plain)
    } else if most < limit_bytes {
        Err(HttpError::BodyTooDense { most: MOST_TIMES })
    } else {
        Err(HttpError::BodyTooLarge { limit_bytes })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LIMIT: usize = 4 << 20;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// Bytes that hardly compress.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let step = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..length).map(step).collect()
    }

    #[test]
    fn each_packing_gives_back_what_was_packed() {
        let plain = b"{\"resourceType\":\"Patient\"}".repeat(50);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(&plain).unwrap();
        let mut brotli = Vec::new();
        brotli::CompressorWriter::new(&mut brotli, 4096, 5, 20).write_all(&plain).unwrap();
        let cases = [
            (Packing::Gzip, gzip(&plain)),
            (Packing::Deflate, zlib.finish().unwrap()),
            (Packing::Brotli, brotli),
            (Packing::Zstd, zstd::encode_all(&plain[..], 1).unwrap()),
        ];
        for (packing, packed) in cases {
            assert_eq!(packing.unpack(&packed, LIMIT).unwrap(), plain, "{packing:?}");
        }
    }

    #[test]
    fn a_body_may_unpack_to_the_limit_but_not_beyond() {
        let fits = gzip(&noise(LIMIT));
        let too_large = gzip(&noise(LIMIT + 1));

        assert_eq!(Packing::Gzip.unpack(&fits, LIMIT).unwrap().len(), LIMIT);
        assert!(matches!(Packing::Gzip.unpack(&too_large, LIMIT), Err(HttpError::BodyTooLarge { limit_bytes: LIMIT })));
    }

    #[test]
    fn a_dense_body_is_cut_off_after_the_first_mebibyte() {
        let small = gzip(&vec![b' '; FREE_BYTES]);
        let dense = gzip(&vec![b' '; 3 << 20]);

        assert!(Packing::Gzip.unpack(&small, LIMIT).is_ok());
        assert!(matches!(Packing::Gzip.unpack(&dense, LIMIT), Err(HttpError::BodyTooDense { .. })));
    }

    #[test]
    fn what_is_not_packed_is_refused() {
        for packing in [Packing::Gzip, Packing::Deflate, Packing::Brotli, Packing::Zstd] {
            let outcome = packing.unpack(b"{\"resourceType\":\"Patient\"}", LIMIT);
            assert!(matches!(outcome, Err(HttpError::BodyNotPacked)), "{packing:?}");
        }
    }
}
