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
use crate::elsewhere::{self, Image};

/// A path, or `-` for standard input or output, or the name of an image that is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathOrDash {
    Dash,
    Path(PathBuf),
    Elsewhere(Image),
}

impl From<OsString> for PathOrDash {
    fn from(text: OsString) -> PathOrDash {
        if text == "-" {
            PathOrDash::Dash
        } else if let Some(image) = elsewhere::find(Path::new(&text)) {
            PathOrDash::Elsewhere(image)
        } else {
            PathOrDash::Path(text.into())
        }
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
            PathOrDash::Elsewhere(image) => image.shown(),
        }
    }

    /// The input that this path names.
    pub(crate) fn input<'a>(&'a self, stdin: &'a Stdin) -> Input<'a> {
        match self {
            PathOrDash::Dash => Input::Descriptor(stdin.as_fd()),
            PathOrDash::Path(path) => Input::Path(path),
            PathOrDash::Elsewhere(image) => Input::Positioned(image),
        }
    }

    /// The single image that this path names.
    pub(crate) fn file(&self) -> Target {
        match self {
            PathOrDash::Dash => Target::Stdin,
            PathOrDash::Path(path) => Target::File(path.clone()),
            PathOrDash::Elsewhere(image) => image.target(),
        }
    }

    /// The image, or the directory of images, that this path names.
    pub(crate) fn target(&self) -> Target {
        match self {
            PathOrDash::Path(path) => Target::from_path(path),
            PathOrDash::Dash | PathOrDash::Elsewhere(_) => self.file(),
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
            PathOrDash::Elsewhere(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Returns whether this input is the file with this metadata.
    pub(crate) fn is_same_file(&self, other: &Metadata) -> bool {
        self.input_metadata().is_ok_and(|own| (own.dev(), own.ino()) == (other.dev(), other.ino()))
    }
}
