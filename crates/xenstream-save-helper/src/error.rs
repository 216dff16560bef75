//! Why the helper cannot do its work.

use std::io;
use std::path::PathBuf;

use xenstream::UnknownTarget;

/// The reason why the helper cannot work. It is never a fault of the stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Configuration { path: PathBuf, source: io::Error },
    #[error("{} cannot be parsed: {why}", path.display())]
    Syntax { path: PathBuf, why: String },
    #[error("{place} is {value:?}; it must be {choices}")]
    Setting { place: String, value: String, choices: &'static str },
    #[error("{place} is {value:?}; it must be auto, none or a release: {source}")]
    Target { place: String, value: String, source: UnknownTarget },
    #[error("found no libxl-save-helper; set XENSTREAM_SAVE_HELPER_REAL to its path")]
    NoReal,
    #[error("found several helpers ({found}); set XENSTREAM_SAVE_HELPER_REAL to one of them")]
    SeveralReal { found: String },
    #[error("{} is not an absolute path; set XENSTREAM_SAVE_HELPER_REAL to that of the real helper", path.display())]
    RelativeReal { path: PathBuf },
    #[error("{} is this program itself; set XENSTREAM_SAVE_HELPER_REAL to the path of the real helper", path.display())]
    RealIsThis { path: PathBuf },
    #[error(
        "started in the real helper's place ({mark} is set): name the real one in XENSTREAM_SAVE_HELPER_REAL"
    )]
    InItsOwnPlace { mark: &'static str },
    #[error(
        "the arguments are those of no known version of libxl, so the stream cannot be verified and is not passed on"
    )]
    Arguments,
    #[error("the verifying thread has ended unexpectedly")]
    Orphan,
    #[error("cannot start {}: {source}", program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("cannot use descriptor {number}: {source}")]
    Descriptor { number: i32, source: io::Error },
    #[error("cannot run beside the real helper: {0}")]
    Beside(io::Error),
}
