//! Input that lies in memory.

use xenstream_core::Observer;

use crate::session::{Session, Stop};
use crate::source::compressed;

/// Feeds a slice.
pub(crate) fn drive<O: Observer + ?Sized>(octets: &[u8], session: &mut Session<'_, O>) -> Result<(), Stop> {
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
