//! What of the targets' inputs is worth checking in. `fuzz/build.rs` unpacks it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{directory, inputs};
use crate::scratch;

/// The checked-in inputs of all targets, in `target/name` files.
const ARCHIVE: &str = "corpus/minimised.tar.zst";

/// The most that is checked in for one target, in bytes.
const WORTH: u64 = 1 << 20;

/// Checks in, for each target, the fewest and shortest inputs that reach what all of them reach.
pub(super) fn minimise(targets: &[String], binaries: &Path, max_len: usize) -> Result<()> {
    let mut files = BTreeMap::new();
    for target in targets {
        let merged = scratch("fuzz-minimised").join(target);
        if merged.exists() {
            fs::remove_dir_all(&merged).with_context(|| merged.display().to_string())?;
        }
        fs::create_dir_all(&merged).with_context(|| merged.display().to_string())?;
        let status = Command::new(binaries.join(target))
            .arg("-merge=1")
            .arg(format!("-max_len={max_len}"))
            .args([&merged, &inputs(target)])
            .env("ASAN_OPTIONS", "detect_odr_violation=0")
            .status()
            .with_context(|| format!("{target} does not start"))?;
        ensure!(status.success(), "{target} does not merge its inputs ({status})");
        let (mut kept, mut bytes) = (0, 0);
        for (name, input) in shortest_first(&merged)? {
            bytes += input.len() as u64;
            if bytes > WORTH {
                break;
            }
            kept += 1;
            files.insert(format!("{target}/{name}"), input);
        }
        println!("{target}: {kept} inputs");
    }
    write(&files)
}

fn shortest_first(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        inputs.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    inputs.sort_by(|(a, a_bytes), (b, b_bytes)| a_bytes.len().cmp(&b_bytes.len()).then(a.cmp(b)));
    Ok(inputs)
}

/// Writes the archive, the same for the same files.
fn write(files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let path = directory().join(ARCHIVE);
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    let mut archive = tar::Builder::new(zstd::Encoder::new(file, 19)?);
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, bytes.as_slice())?;
    }
    archive.into_inner()?.finish()?;
    println!("{}: {} bytes", path.display(), fs::metadata(&path)?.len());
    Ok(())
}
