//! Input that lies in memory.

use xenstream_core::Follows;

use crate::hint::LOOKED_AT;
use crate::session::{Session, Stop};
#[cfg(feature = "decompress")]
use crate::source::compressed;

/// Feeds a slice.
pub(crate) fn drive(bytes: &[u8], session: &mut Session<'_>) -> Result<(), Stop> {
    #[cfg(feature = "decompress")]
    if let Some(compression) = session.recognise(bytes) {
        return compressed::drive(compression, bytes, true, session);
    }
    session.size = Some(bytes.len() as u64);
    let outcome = judge(bytes, session);
    session.bytes_read = session.position();
    if session.asks_for_start(&outcome) {
        let head = bytes.get(..LOOKED_AT).unwrap_or(bytes);
        session.show_start(head, head.len() == bytes.len());
    }
    outcome
}

fn judge(bytes: &[u8], session: &mut Session<'_>) -> Result<(), Stop> {
    let taken = session.push(bytes)?;
    if let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
        session.trailing_data(Follows::of(rest))?;
    }
    session.finish()
}
