//! Input that lies in memory.

use crate::session::{Session, Stop};
use crate::source::compressed;

/// Feeds a slice.
pub(crate) fn drive(bytes: &[u8], session: &mut Session<'_>) -> Result<(), Stop> {
    if let Some(compression) = session.recognise(bytes) {
        return compressed::drive(compression, bytes, true, session);
    }
    let taken = session.push(bytes);
    session.bytes_read = session.position();
    if taken? < bytes.len() {
        session.trailing_data()?;
    }
    session.finish()
}
