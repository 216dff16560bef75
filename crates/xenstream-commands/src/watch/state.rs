//! `--since-last`: what is known of images that have not changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use xenstream::{NewFile, Options};

use super::{Image, escaped};
use crate::output::{self, name};

/// The version of the file's format.
const VERSION: u32 = 1;

/// Files that changed so shortly before they were looked at may have changed after that without a trace in their times, whose
/// steps depend on the file system.
const UNSETTLED_SECONDS: i64 = 2;

/// By what a change of a file is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
    inode: u64,
    device: u64,
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Option<Stamp> {
        let metadata = fs::metadata(path).ok()?;
        metadata.is_file().then(|| Stamp {
            size: metadata.size(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.size
    }

    pub(super) fn modified(&self) -> i64 {
        self.mtime.0
    }
}

/// What is remembered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    xenstream_state: u32,
    /// The program that wrote it: another one may judge otherwise.
    program: String,
    /// A hash of the options: under others, images are judged otherwise.
    options: String,
    images: BTreeMap<String, Known>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    stamp: Stamp,
    image: Image,
}

impl State {
    /// Reads what an earlier run with the same options remembered. A file that cannot be trusted is not used, and a remark says why.
    pub(super) fn load(path: &Path, options: &Options) -> State {
        let mut hasher = DefaultHasher::new();
        format!("{options:?}").hash(&mut hasher);
        let empty = State {
            xenstream_state: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            options: format!("{:016x}", hasher.finish()),
            images: BTreeMap::new(),
        };
        match read(path) {
            Ok(None) => empty,
            Ok(Some(state)) if empty.is_like(&state) => state,
            Ok(Some(_)) => {
                output::remark(&format!(
                    "{}: by another program or with other options, everything is verified again",
                    name(path)
                ));
                empty
            }
            Err(reason) => {
                output::remark(&format!("{}: not used, everything is verified again: {reason}", name(path)));
                empty
            }
        }
    }

    fn is_like(&self, other: &State) -> bool {
        (self.xenstream_state, &self.program, &self.options)
            == (other.xenstream_state, &other.program, &other.options)
    }

    /// Returns what is known of a file that has not changed.
    pub(super) fn find(&self, path: &Path, stamp: &Stamp) -> Option<&Image> {
        let known = self.images.get(&escaped(path))?;
        (known.stamp == *stamp).then_some(&known.image)
    }

    /// Remembers an image that had this stamp before it was read, unless it may have changed since.
    pub(super) fn note(&mut self, path: &Path, stamp: &Stamp, image: &Image) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let is_settled = stamp.ctime.0 < i64::try_from(now).unwrap_or(i64::MAX) - UNSETTLED_SECONDS;
        if is_settled && Stamp::of(path).as_ref() == Some(stamp) {
            let known = Known { stamp: stamp.clone(), image: image.clone() };
            self.images.insert(image.path.clone(), known);
        } else {
            self.images.remove(&image.path);
        }
    }

    /// Writes the file, or leaves it as it is.
    pub(super) fn save(&self, path: &Path) -> Result<(), String> {
        let new = NewFile::create(path, true).map_err(|error| error.to_string())?;
        let text = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        new.file().write_all(&text).map_err(|error| error.to_string())?;
        new.publish().map_err(|error| error.to_string())
    }

    /// Forgets the images that were not met.
    pub(super) fn keep_only(&mut self, images: &[Image]) {
        let met: BTreeSet<&str> = images.iter().map(|image| image.path.as_str()).collect();
        self.images.retain(|path, _| met.contains(path.as_str()));
    }
}

/// Reads the file, if there is one. A file that another user can write is ignored.
fn read(path: &Path) -> Result<Option<State>, String> {
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user".to_owned());
    }
    if metadata.mode() & 0o022 != 0 {
        return Err("other users may write it".to_owned());
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map(Some).map_err(|error| format!("it is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::tests::image;
    use super::*;

    fn file(directory: &Path, age: u64) -> std::path::PathBuf {
        let path = directory.join("image");
        let file = fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
        path
    }

    /// A stamp of a file that was changed long ago.
    fn settled(path: &Path) -> Stamp {
        Stamp { ctime: (1, 0), ..Stamp::of(path).unwrap() }
    }

    #[test]
    fn unchanged_files_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), 100);
        let mut state = State::load(&directory.path().join("state"), &Options::default());
        let image = image(path.to_str().unwrap().as_bytes(), "valid");
        let stamp = Stamp::of(&path).unwrap();
        state.images.insert(image.path.clone(), Known { stamp: stamp.clone(), image: image.clone() });
        assert_eq!(state.find(&path, &stamp), Some(&image));
        for other in [
            Stamp { size: 1, ..stamp.clone() },
            Stamp { mtime: (stamp.mtime.0, stamp.mtime.1 + 1), ..stamp.clone() },
            Stamp { ctime: (0, 0), ..stamp.clone() },
            Stamp { inode: 0, ..stamp.clone() },
            Stamp { device: 0, ..stamp.clone() },
        ] {
            assert_eq!(state.find(&path, &other), None, "{other:?}");
        }
        state.keep_only(&[]);
        assert_eq!(state.find(&path, &stamp), None);
    }

    #[test]
    fn files_that_may_have_changed_are_not_noted() {
        let directory = tempfile::tempdir().unwrap();
        let path = file(directory.path(), 100);
        let mut state = State::load(&directory.path().join("state"), &Options::default());
        let image = image(path.to_str().unwrap().as_bytes(), "valid");
        // It was created just now.
        let stamp = Stamp::of(&path).unwrap();
        state.note(&path, &stamp, &image);
        assert_eq!(state.find(&path, &stamp), None);
        // It is not what it was before it was read.
        let stamp = settled(&path);
        state.note(&path, &stamp, &image);
        assert_eq!(state.find(&path, &stamp), None);
    }

    #[test]
    fn state_is_kept_for_the_same_options() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let options = Options::default();
        let mut state = State::load(&path, &options);
        let known = Known { stamp: settled(&file(directory.path(), 100)), image: image(b"a\xFF", "invalid") };
        state.images.insert("a\\xff".to_owned(), known);
        state.save(&path).unwrap();
        assert_eq!(State::load(&path, &options).images.len(), 1);
        let others = Options::new(xenstream::Policy::hardened());
        assert!(State::load(&path, &others).images.is_empty());
    }

    #[test]
    fn state_of_others_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let state = State::load(&path, &Options::default());
        state.save(&path).unwrap();
        assert!(read(&path).unwrap().is_some());
        for mode in [0o664, 0o646] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(read(&path).is_err(), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(read(&link).is_err());
        assert!(read(directory.path()).is_err());
        for damaged in ["", "{", "[]", "{\"xenstream_state\": 1}", "\0\0\0"] {
            fs::write(&path, damaged).unwrap();
            assert!(read(&path).is_err(), "{damaged}");
        }
        assert!(state.save(Path::new("/no/such/directory/state")).is_err());
    }
}
