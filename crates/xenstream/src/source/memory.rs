//! Input that lies in memory.

use crate::session::{Session, Stop};
use crate::source::compressed;

/// Feeds a slice.
pub(crate) fn drive(octets: &[u8], session: &mut Session<'_>) -> Result<(), Stop> {
    if let Some(compression) = session.recognise(octets) {
        return compressed::drive(compression, octets, true, session);
    }
    let taken = session.push(octets);
    session.octets_read = session.position();
    if taken? < octets.len() {
        session.trailing_data()?;
    }
    session.finish()
}
