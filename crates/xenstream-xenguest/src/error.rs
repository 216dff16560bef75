//! Why the program cannot do its work.

use std::io;
use std::path::PathBuf;

/// The reason why the program cannot work. It is never a fault of the stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Guard(#[from] xenstream_guard::Error),
    #[error(
        "the arguments are those of no known xenguest, so a stream cannot be verified and is not passed on"
    )]
    Arguments,
}

/// The reason why this program cannot stand before the real xenguest's control socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error("xenguest listens at {0} control sockets")]
    Sockets(usize),
    #[error("cannot find the control socket of xenguest: {0}")]
    Find(io::Error),
    #[error("cannot stand before the control socket {}: {source}", path.display())]
    Take { path: PathBuf, source: io::Error },
}
