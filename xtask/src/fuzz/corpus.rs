//! The targets' inputs: what is checked in, what the repository's streams give, and what is worth checking in.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use walkdir::WalkDir;

use super::{TARGETS, Target, directory, inputs};
use crate::{root, scratch};

/// The checked-in inputs of all targets, in `target/name` files.
const ARCHIVE: &str = "corpus/minimised.tar.zst";

/// The most that is checked in for one target, in bytes.
const WORTH: u64 = 1 << 20;

/// Unpacks the checked-in inputs next to what has been found since.
pub(super) fn unpack(targets: &[Target]) -> Result<()> {
    for target in targets {
        let inputs = inputs(target.name);
        fs::create_dir_all(&inputs).with_context(|| inputs.display().to_string())?;
    }
    let path = directory().join(ARCHIVE);
    if !path.exists() {
        return Ok(());
    }
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let mut archive = tar::Archive::new(zstd::Decoder::new(file)?);
    archive.unpack(directory().join("corpus")).with_context(|| path.display().to_string())
}

/// Makes inputs of the repository's streams.
pub(super) fn seed(target: &Target, max_len: usize) -> Result<()> {
    let Some(behind) = target.behind else { return Ok(()) };
    for folder in ["rules", "valid", "crashes"] {
        for entry in WalkDir::new(root().join("corpus").join(folder)) {
            let entry = entry.context("the corpus cannot be read")?;
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "bin") {
                continue;
            }
            let mut input = fs::read(path).with_context(|| path.display().to_string())?;
            input.extend(behind);
            if input.len() <= max_len {
                let name = path.file_name().expect("a file has a name").to_string_lossy();
                let layer = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
                let seed = inputs(target.name).join(format!("seed-{layer}-{name}"));
                fs::write(&seed, input).with_context(|| seed.display().to_string())?;
            }
        }
    }
    Ok(())
}

/// Checks in, for each target, the fewest and shortest inputs that reach what all of them reach.
pub(super) fn minimise(binaries: &Path, max_len: usize) -> Result<()> {
    let mut files = BTreeMap::new();
    for target in TARGETS {
        seed(target, max_len)?;
        let merged = scratch("fuzz-minimised").join(target.name);
        if merged.exists() {
            fs::remove_dir_all(&merged).with_context(|| merged.display().to_string())?;
        }
        fs::create_dir_all(&merged).with_context(|| merged.display().to_string())?;
        let status = Command::new(binaries.join(target.name))
            .arg("-merge=1")
            .arg(format!("-max_len={max_len}"))
            .args([&merged, &inputs(target.name)])
            .env("ASAN_OPTIONS", "detect_odr_violation=0")
            .status()
            .with_context(|| format!("{} does not start", target.name))?;
        ensure!(status.success(), "{} does not merge its inputs ({status})", target.name);
        let (mut kept, mut bytes) = (0, 0);
        for (name, input) in shortest_first(&merged)? {
            bytes += input.len() as u64;
            if bytes > WORTH {
                break;
            }
            kept += 1;
            files.insert(format!("{}/{name}", target.name), input);
        }
        println!("{}: {kept} inputs", target.name);
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
