//! Why the program cannot do its work.

use std::io;
use std::path::PathBuf;

use xenstream::UnknownTarget;

/// The reason why the program cannot work. It is never a fault of the stream.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each variant is")]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Configuration { path: PathBuf, source: io::Error },
    #[error("{} cannot be parsed: {why}", path.display())]
    Syntax { path: PathBuf, why: String },
    #[error("{place} is {value:?}; it must be {choices}")]
    Setting { place: String, value: String, choices: &'static str },
    #[error("{place} is {value:?}; it must be auto, none or a release: {source}")]
    Target { place: String, value: String, source: UnknownTarget },
    #[error("{} is not an absolute path; set {variable} to that of the real program", path.display())]
    RelativeReal { path: PathBuf, variable: &'static str },
    #[error("{} is this program itself; set {variable} to the path of the real program", path.display())]
    RealIsThis { path: PathBuf, variable: &'static str },
    #[error("started in the real program's place ({mark} is set): name the real one in {variable}")]
    InItsOwnPlace { mark: &'static str, variable: &'static str },
    #[error("the verifying thread has ended unexpectedly")]
    Orphan,
    #[error("cannot start {}: {source}", program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("cannot use descriptor {number}: {source}")]
    Descriptor { number: i32, source: io::Error },
    #[error("cannot run beside the real program: {0}")]
    Beside(io::Error),
}
