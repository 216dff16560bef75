//! Why the helper cannot do its work.

use std::io;
use std::path::PathBuf;

use xenstream::UnknownTarget;

/// Why the helper cannot do its work. Never a fault of the stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Configuration { path: PathBuf, source: io::Error },
    #[error("{} is no configuration: {why}", path.display())]
    Syntax { path: PathBuf, why: String },
    #[error("{place} is {value:?}, and can only be {choices}")]
    Setting { place: String, value: String, choices: &'static str },
    #[error("{place} is {value:?}, and can only be auto, none or a release: {source}")]
    Target { place: String, value: String, source: UnknownTarget },
    #[error("found no libxl-save-helper: name it in XENSTREAM_SAVE_HELPER_REAL")]
    NoReal,
    #[error("found several helpers ({found}): name one in XENSTREAM_SAVE_HELPER_REAL")]
    SeveralReal { found: String },
    #[error("{} is no absolute path: name the real helper by one in XENSTREAM_SAVE_HELPER_REAL", path.display())]
    RelativeReal { path: PathBuf },
    #[error("{} is this very program: name the real helper in XENSTREAM_SAVE_HELPER_REAL", path.display())]
    RealIsThis { path: PathBuf },
    #[error(
        "started in the real helper's place ({mark} is set): name the real one in XENSTREAM_SAVE_HELPER_REAL"
    )]
    InItsOwnPlace { mark: &'static str },
    #[error("these arguments are of no known version of libxl: what cannot be verified is not passed on")]
    Arguments,
    #[error("the verifying thread is gone")]
    Orphan,
    #[error("cannot start {}: {source}", program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("cannot use descriptor {number}: {source}")]
    Descriptor { number: i32, source: io::Error },
    #[error("cannot run beside the real helper: {0}")]
    Beside(io::Error),
}
