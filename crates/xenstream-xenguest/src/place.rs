//! Standing before the control socket at which the real xenguest listens.
//!
//! The real xenguest makes the socket, at a path of its own, and then says that it is ready; only then does emu-manager
//! connect. So in between a socket of ours takes that path. The real one has no path any more, but still its inode, by
//! which it is reached.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::PlaceError;

/// What is added to the path until our socket takes it.
const SUFFIX: &str = ".xenstream";

/// Our place before the control socket of the real xenguest.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) listener: UnixListener,
    /// The real socket's inode.
    real: OwnedFd,
    path: PathBuf,
    /// Device and inode of our socket.
    identity: (u64, u64),
}

impl Place {
    /// Stands before the control socket of the process with this number.
    pub(crate) fn take(pid: u32) -> Result<Place, PlaceError> {
        let path = listening(pid)?;
        Place::before(&path).map_err(|source| PlaceError::Take { path, source })
    }

    fn before(path: &Path) -> io::Result<Place> {
        let real = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
        let metadata = File::from(real.try_clone()?).metadata()?;
        let mut aside = path.as_os_str().to_owned();
        aside.push(SUFFIX);
        let aside = PathBuf::from(aside);
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&aside)?;
        // The same processes may connect to ours as to the real socket.
        fs::set_permissions(&aside, fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
        let ours = fs::metadata(&aside)?;
        if (ours.uid(), ours.gid()) != (metadata.uid(), metadata.gid()) {
            chown(&aside, Some(metadata.uid()), Some(metadata.gid()))?;
        }
        fs::rename(&aside, path)?;
        Ok(Place { listener, real, path: path.to_owned(), identity: (ours.dev(), ours.ino()) })
    }

    /// Connects to the real socket.
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(format!("/proc/self/fd/{}", self.real.as_raw_fd()))
    }
}

impl Drop for Place {
    /// Removes our socket, unless the real xenguest has done that in the belief that it is its own.
    fn drop(&mut self) {
        let is_ours = fs::metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.identity);
        if is_ours {
            // Connections to it fail from now on, whether it stays or not.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The path of the socket at which this process listens.
fn listening(pid: u32) -> Result<PathBuf, PlaceError> {
    let mut held = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).map_err(PlaceError::Find)? {
        // It may have been closed meanwhile.
        let Ok(target) = entry.and_then(|entry| fs::read_link(entry.path())) else { continue };
        held.extend(
            target
                .to_str()
                .and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']'))
                .map(str::to_owned),
        );
    }
    let table = fs::read(format!("/proc/{pid}/net/unix")).map_err(PlaceError::Find)?;
    let mut paths = table.split(|byte| *byte == b'\n').filter_map(|line| listening_line(line, &held));
    match (paths.next(), paths.count()) {
        (Some(path), 0) => Ok(path),
        (path, more) => Err(PlaceError::Sockets(usize::from(path.is_some()) + more)),
    }
}

/// The path on a line of /proc/net/unix, if one of these inodes listens there:
///
/// ```text
/// Num       RefCount Protocol Flags    Type St Inode Path
/// 0000…0000: 00000002 00000000 00010000 0001 01 12345 /var/xen/xenguest/7/control
/// ```
fn listening_line(line: &[u8], inodes: &[String]) -> Option<PathBuf> {
    /// `__SO_ACCEPTCON` of Linux.
    const LISTENS: u32 = 1 << 16;
    let start = line.windows(2).position(|pair| pair == b" /")? + 1;
    let (head, path) = line.split_at(start);
    let mut words = std::str::from_utf8(head).ok()?.split_ascii_whitespace().skip(3);
    let flags = u32::from_str_radix(words.next()?, 16).ok()?;
    let inode = words.nth(2)?;
    let is_held = inodes.iter().any(|held| held == inode);
    (flags & LISTENS != 0 && is_held).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(path)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn only_listening_sockets_of_the_process_count() {
        let line = "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /var/xen/a b/control";
        let inodes = ["12345".to_owned()];
        let found = listening_line(line.as_bytes(), &inodes);
        assert_eq!(found, Some(PathBuf::from("/var/xen/a b/control")));
        for other in [
            "0000000000000000: 00000003 00000000 00000000 0001 03 12345 /var/xen/a/control",
            "0000000000000000: 00000002 00000000 00010000 0001 01 12346 /var/xen/a/control",
            "0000000000000000: 00000002 00000000 00010000 0001 01 12345 @abstract",
            "0000000000000000: 00000002 00000000 00010000 0001 01 12345",
            "Num       RefCount Protocol Flags    Type St Inode Path",
            "",
        ] {
            assert_eq!(listening_line(other.as_bytes(), &inodes), None, "{other}");
        }
    }

    #[test]
    fn a_socket_without_a_path_is_still_reached() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let real = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let place = Place::before(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"to us").unwrap();
        drop(client);
        let mut text = String::new();
        place.listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!(text, "to us");

        place.connect().unwrap().write_all(b"to xenguest").unwrap();
        let mut text = String::new();
        real.accept().unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!(text, "to xenguest");

        drop(place);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_real_one_may_remove_our_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control");
        let _real = UnixListener::bind(&path).unwrap();
        let place = Place::before(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        drop(place);
        assert!(path.exists());
    }
}
