//! Images that are no files: a program may know how to open names that this crate does not.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use xenstream::batch::{self, Target};
use xenstream::{Error, ReadAt};

/// How a program opens images that are no files.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere {
    /// Returns whether a name is that of such an image.
    pub is_there: fn(&Path) -> bool,
    /// Opens the image with this name.
    pub open: fn(&Path) -> Result<Box<dyn ReadAt + Send + Sync>, Error>,
    /// Returns the name as messages show it.
    pub shown: fn(&Path) -> PathBuf,
}

static ELSEWHERE: OnceLock<Elsewhere> = OnceLock::new();

/// The program that opens URLs.
const REMOTE: &str = "xenstream-remote";

pub(crate) fn set(elsewhere: Elsewhere) {
    // Only `main_with` sets it, once.
    let _ = ELSEWHERE.set(elsewhere);
}

/// The image with this name, if it is no file.
pub(crate) fn find(name: &Path) -> Option<Image> {
    let elsewhere = ELSEWHERE.get().filter(|elsewhere| (elsewhere.is_there)(name))?;
    let place = batch::Elsewhere::new((elsewhere.shown)(name), name.to_owned(), elsewhere.open);
    Some(Image { place, opened: Arc::default() })
}

/// An image that is no file. It is opened when it is read.
#[derive(Clone)]
pub(crate) struct Image {
    place: batch::Elsewhere,
    opened: Arc<OnceLock<Result<Box<dyn ReadAt + Send + Sync>, String>>>,
}

impl Image {
    pub(crate) fn shown(&self) -> &Path {
        &self.place.path
    }

    pub(crate) fn target(&self) -> Target {
        Target::Elsewhere(self.place.clone())
    }

    fn opened(&self) -> io::Result<&(dyn ReadAt + Send + Sync)> {
        let open = || (self.place.open)(&self.place.name).map_err(|error| error.to_string());
        self.opened.get_or_init(open).as_deref().map_err(|error| io::Error::other(error.as_str()))
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Image").field(&self.place.path).finish()
    }
}

impl PartialEq for Image {
    fn eq(&self, other: &Image) -> bool {
        self.place.name == other.place.name
    }
}

impl Eq for Image {}

impl ReadAt for Image {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.opened()?.read_at(bytes, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.opened()?.size()
    }

    fn concurrent(&self) -> Option<&(dyn ReadAt + Sync)> {
        self.opened().ok()?.concurrent()
    }
}

/// Becomes the program that opens URLs, if one is named on the command line and that program is installed beside this one.
pub(crate) fn hand_over() {
    let is_url = |word: &OsString| {
        let word = word.as_encoded_bytes();
        [&b"http://"[..], b"https://", b"s3://"].iter().any(|scheme| word.starts_with(scheme))
    };
    if ELSEWHERE.get().is_some() || !env::args_os().skip(1).any(|word| is_url(&word)) {
        return;
    }
    let Some(program) = env::current_exe().ok().map(|program| program.with_file_name(REMOTE)) else { return };
    if program.exists() {
        // If that fails, the name is taken for that of a file.
        let _ = Command::new(program).args(env::args_os().skip(1)).exec();
    }
}
