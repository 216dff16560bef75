//! Small reads near each other are served from one request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Pieces that are kept, at most.
const PIECES: usize = 8;

/// Bytes of an object, from an offset on.
type Piece = (u64, Arc<[u8]>);

/// The pieces that were requested last.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<VecDeque<Piece>>);

impl Cache {
    /// Copies bytes at this offset, as many as a piece has. Returns 0 if none has any.
    pub(crate) fn read(&self, bytes: &mut [u8], offset: u64) -> usize {
        let pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = pieces.iter().find_map(|(start, piece)| {
            let skipped = usize::try_from(offset.checked_sub(*start)?).ok()?;
            piece.get(skipped..).filter(|rest| !rest.is_empty())
        });
        let Some(rest) = found else { return 0 };
        let n = rest.len().min(bytes.len());
        bytes[..n].copy_from_slice(&rest[..n]);
        n
    }

    pub(crate) fn keep(&self, offset: u64, piece: Vec<u8>) {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.truncate(PIECES - 1);
        pieces.push_front((offset, piece.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pieces_are_kept() {
        let cache = Cache::default();
        for n in 0..=PIECES as u8 {
            cache.keep(u64::from(n) * 100, vec![n; 10]);
        }
        let read = |offset| {
            let mut bytes = [0; 4];
            let n = cache.read(&mut bytes, offset);
            bytes[..n].to_vec()
        };
        assert_eq!(read(0), [0; 0]);
        assert_eq!(read(100), [1; 4]);
        assert_eq!(read(808), [8; 2]);
        assert_eq!(read(810), [0; 0]);
        assert_eq!(read(799), [0; 0]);
    }
}
