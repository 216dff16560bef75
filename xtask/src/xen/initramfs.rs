//! The small file system from which dom0 starts: busybox, the modules for the shared directories, and `init.sh`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::WalkDir;

use super::packages::Root;

const INIT: &str = include_str!("../../xen/init.sh");

/// Modules in the order in which they can be loaded. A kernel that has one built in has no file of that name.
const MODULES: [&str; 15] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "netfs",
    "fscache",
    "9pnet",
    "9pnet_virtio",
    "9p",
    "xen-evtchn",
    "xen-gntdev",
    "xen-gntalloc",
    "xen-privcmd",
    "xenfs",
];

/// Writes it.
pub(super) fn write(path: &Path, root: &Root) -> Result<()> {
    let mut archive = Archive(Vec::new());
    for name in ["bin", "dev", "modules", "proc", "root", "sys"] {
        archive.directory(name);
    }
    let busybox = root.path().join("bin/busybox");
    archive.program("bin/busybox", &fs::read(&busybox).with_context(|| busybox.display().to_string())?);
    archive.program("init", INIT.as_bytes());
    for (number, name) in MODULES.into_iter().enumerate() {
        if let Some(bytes) = module(root, name)? {
            archive.program(&format!("modules/{number:02}-{name}.ko"), &bytes);
        }
    }
    File::create(path)
        .and_then(|mut file| file.write_all(&archive.finish()))
        .with_context(|| path.display().to_string())
}

/// A kernel module, decompressed.
fn module(root: &Root, name: &str) -> Result<Option<Vec<u8>>> {
    let modules = root.path().join("lib/modules");
    let is_named = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file == format!("{name}.ko") || file == format!("{name}.ko.xz")
    };
    let mut files = WalkDir::new(modules).follow_root_links(true).into_iter().flatten();
    let Some(path) = files.find_map(|entry| Some(entry.into_path()).filter(is_named)) else {
        return Ok(None);
    };
    let context = || path.display().to_string();
    let file = File::open(&path).with_context(context)?;
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "xz") {
        liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).with_context(context)?;
    } else {
        (&file).read_to_end(&mut bytes).with_context(context)?;
    }
    Ok(Some(bytes))
}

/// A cpio archive in the form that Linux unpacks ("newc").
struct Archive(Vec<u8>);

impl Archive {
    fn directory(&mut self, name: &str) {
        self.entry(name, 0o040_755, &[]);
    }

    fn program(&mut self, name: &str, bytes: &[u8]) {
        self.entry(name, 0o100_755, bytes);
    }

    fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.0
    }

    fn entry(&mut self, name: &str, mode: u32, bytes: &[u8]) {
        // Inode, mode, owner, group, links, time, size, four device numbers, length of the name with its NUL, checksum.
        let inode = self.0.len();
        let fields = [inode, mode as usize, 0, 0, 1, 0, bytes.len(), 0, 0, 0, 0, name.len() + 1, 0];
        self.0.extend_from_slice(b"070701");
        for field in fields {
            self.0.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        self.pad();
        self.0.extend_from_slice(bytes);
        self.pad();
    }

    /// To a multiple of four bytes.
    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned() {
        let mut archive = Archive(Vec::new());
        archive.program("init", b"#!/bin/sh");
        let bytes = archive.finish();
        assert_eq!(&bytes[..6], b"070701");
        // Header and name take 115 bytes, the file nine.
        assert_eq!(&bytes[110..115], b"init\0");
        assert_eq!(&bytes[116..125], b"#!/bin/sh");
        assert_eq!(&bytes[128..134], b"070701");
        assert_eq!(bytes.len() % 4, 0);
    }
}
