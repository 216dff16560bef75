//! Puts inputs where `cargo fuzz run TARGET` looks for them, in `corpus/TARGET`: those that are checked in, and the
//! streams of the repository.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The checked-in inputs of all targets, in `TARGET/NAME` files.
const ARCHIVE: &str = "corpus/minimised.tar.zst";

/// Folders of streams, below the repository's corpus.
const STREAMS: [&str; 3] = ["rules", "valid", "crashes"];

/// Bytes of the longest input. libFuzzer makes none that is longer, unless it is told to or given one.
const LONGEST: usize = 4096;

/// What follows a stream in an input of this target; `None` if its inputs are no streams.
fn suffix(target: &str) -> Option<&'static [u8]> {
    match target {
        // A format and a profile; see `Setup::split`.
        "arbitrary_bytes" | "splits" | "json" | "html" => Some(&[0, 0]),
        // Profile, format, and no calls but those of a reader.
        "calls" => Some(&[0, 0, 0]),
        // A script of no steps comes before them.
        "source" | "relay" => Some(&[0, 0, 0]),
        // What the ends are comes after them.
        "sockets" => Some(&[0, 0, 0, 0]),
        // What is to be blanked comes before the script.
        "scrub" => Some(&[0, 0, 0, 0]),
        // What is asked for: all losses allowed, the same container, the oldest release.
        "convert" => Some(&[1, 0xFF, 0, 0, 0]),
        // A core file of all memory.
        "extract" => Some(&[0, 0, 0, 0, 0]),
        // The other image is the same without its last byte.
        "diff" => Some(&[0, 0, 0, 1, 0, 0]),
        // Take it as it is.
        "restorer" => Some(&[0]),
        "structured_valid" | "structured_broken" | "directory" => None,
        _ => panic!("fuzz/build.rs does not say what inputs of {target} are"),
    }
}

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={ARCHIVE}");
    let streams = streams()?;
    for target in targets()? {
        let inputs = Path::new("corpus").join(&target);
        fs::create_dir_all(&inputs)?;
        let Some(suffix) = suffix(&target) else { continue };
        for (name, stream) in &streams {
            if stream.len() + suffix.len() <= LONGEST {
                fs::write(inputs.join(name), [stream, suffix].concat())?;
            }
        }
    }
    unpack()
}

/// The names of the targets.
fn targets() -> Result<Vec<String>> {
    println!("cargo:rerun-if-changed=fuzz_targets");
    let files = fs::read_dir("fuzz_targets")?;
    let name = |file: fs::DirEntry| Some(file.path().file_stem()?.to_str()?.to_owned());
    Ok(files.collect::<std::io::Result<Vec<_>>>()?.into_iter().filter_map(name).collect())
}

/// The repository's streams, each with the name of its input.
fn streams() -> Result<Vec<(String, Vec<u8>)>> {
    let mut folders: Vec<PathBuf> = STREAMS.iter().map(|name| Path::new("../corpus").join(name)).collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        println!("cargo:rerun-if-changed={}", folder.display());
        let parent = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "bin") {
                let stream = fs::read(entry.path())?;
                found.push((format!("seed-{parent}-{}", entry.file_name().to_string_lossy()), stream));
            }
        }
    }
    Ok(found)
}

/// Unpacks the checked-in inputs next to what has been found since.
fn unpack() -> Result<()> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(File::open(ARCHIVE)?)?);
    let mut seen: Vec<PathBuf> = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = Path::new("corpus").join(entry.path()?);
        entry.unpack_in("corpus")?;
        // One of each target's: when its folder is deleted, cargo runs this again.
        if !seen.iter().any(|other| other.parent() == path.parent()) {
            println!("cargo:rerun-if-changed={}", path.display());
            seen.push(path);
        }
    }
    Ok(())
}
