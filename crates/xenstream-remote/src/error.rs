//! Why an object cannot be read. No message has the URL that was requested, which may be signed.

/// The reason why an object cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name is not a URL that this crate understands.
    #[error("{0}")]
    Location(String),
    /// Credentials in the environment or in a file cannot be used.
    #[error("cannot use the credentials: {0}")]
    Credentials(String),
    /// The server ignores the request for a range, so all of the object would have to be downloaded.
    #[error(
        "the server does not support range requests: download the image, or pipe it into xenstream verify -"
    )]
    NoRanges,
    /// The server does not identify versions of the object, so a change could not be noticed.
    #[error("the server sends neither an ETag nor Last-Modified, so a change could not be noticed")]
    NoVersion,
    /// The object was changed or replaced after it was opened.
    #[error("the object changed while it was read")]
    Changed,
    /// The object is compressed on its way, so ranges of the request are not ranges of the object.
    #[error("the server applies the content encoding {0}")]
    Encoded(String),
    /// The server answers with an error.
    #[error("the server answers {status}{}", hint(*.status))]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// An answer contradicts its own headers or the request.
    #[error("the server's answer makes no sense: {0}")]
    Answer(&'static str),
    /// The server cannot be reached, or the connection breaks. It may be better a little later.
    #[error("{0}")]
    Transport(String),
    /// The server cannot be reached, and trying again would not help.
    #[error("{0}")]
    Unreachable(&'static str),
}

impl Error {
    /// Returns whether the same request may succeed a little later.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Error::Status { status } => matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599),
            Error::Transport(_) => true,
            Error::Location(_)
            | Error::Credentials(_)
            | Error::NoRanges
            | Error::NoVersion
            | Error::Changed
            | Error::Encoded(_)
            | Error::Answer(_)
            | Error::Unreachable(_) => false,
        }
    }
}

fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 => ", which may be for lack of credentials",
        404 => " (not found)",
        429 | 503 => " (too many requests)",
        _ => "",
    }
}
