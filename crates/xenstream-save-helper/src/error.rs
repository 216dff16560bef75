//! Why the helper cannot do its work.

/// The reason why the helper cannot work. It is never a fault of the stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Guard(#[from] xenstream_guard::Error),
    #[error("found no libxl-save-helper; set XENSTREAM_SAVE_HELPER_REAL to its path")]
    NoReal,
    #[error("found several helpers ({found}); set XENSTREAM_SAVE_HELPER_REAL to one of them")]
    SeveralReal { found: String },
    #[error(
        "the arguments are those of no known version of libxl, so the stream cannot be verified and is not passed on"
    )]
    Arguments,
}
