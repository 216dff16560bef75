//! Paths on the command line; `-` is a standard stream.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::{self, Stdin};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use xenstream::Input;
use xenstream::batch::Target;

use crate::descriptor::is_unusable;

/// A path, or `-` for standard input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathOrDash {
    Dash,
    Path(PathBuf),
}

impl From<OsString> for PathOrDash {
    fn from(text: OsString) -> PathOrDash {
        if text == "-" { PathOrDash::Dash } else { PathOrDash::Path(text.into()) }
    }
}

impl PathOrDash {
    pub(crate) fn is_dash(&self) -> bool {
        *self == PathOrDash::Dash
    }

    /// The path as the command line gave it, for messages.
    pub(crate) fn name(&self) -> &Path {
        match self {
            PathOrDash::Dash => Path::new("-"),
            PathOrDash::Path(path) => path,
        }
    }

    /// The input that this path names.
    pub(crate) fn input<'a>(&'a self, stdin: &'a Stdin) -> Input<'a> {
        match self {
            PathOrDash::Dash => Input::Descriptor(stdin.as_fd()),
            PathOrDash::Path(path) => Input::Path(path),
        }
    }

    /// The single image that this path names.
    pub(crate) fn file(&self) -> Target {
        match self {
            PathOrDash::Dash => Target::Stdin,
            PathOrDash::Path(path) => Target::File(path.clone()),
        }
    }

    /// Returns whether this is standard input and cannot carry an image.
    pub(crate) fn is_unusable_input(&self) -> bool {
        self.is_dash() && is_unusable(&io::stdin())
    }

    /// The metadata of the input that this path names.
    pub(crate) fn input_metadata(&self) -> io::Result<Metadata> {
        match self {
            PathOrDash::Dash => fs::metadata("/dev/stdin"),
            PathOrDash::Path(path) => fs::metadata(path),
        }
    }

    /// Returns whether this input is the file with this metadata.
    pub(crate) fn is_same_file(&self, other: &Metadata) -> bool {
        self.input_metadata().is_ok_and(|own| (own.dev(), own.ino()) == (other.dev(), other.ino()))
    }
}
