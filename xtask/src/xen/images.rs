//! The images that are restored: those of corpus/hypervisor and corpus/real, with each edit of corpus/hypervisor.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::root;

/// An image, and what is changed in it.
pub(super) struct Image {
    pub(super) name: String,
    base: PathBuf,
    edits: Vec<Edit>,
    /// Whether it was saved on a processor with AVX, without which it is refused.
    pub(super) avx: bool,
}

/// Offset in the base, bytes removed there, and bytes put in as hex.
type Edit = (usize, usize, String);

/// A row of corpus/hypervisor/edits.jsonl, as far as it matters here.
#[derive(Deserialize)]
struct Row {
    name: String,
    base: String,
    edits: Vec<Edit>,
    #[serde(default)]
    avx: bool,
}

/// The images of the repository, in the order of the table.
pub(super) fn of_the_repository() -> Result<Vec<Image>> {
    let corpus = root().join("corpus");
    let table = corpus.join("hypervisor/edits.jsonl");
    let text = fs::read_to_string(&table).with_context(|| table.display().to_string())?;
    let mut images = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let row: Row = serde_json::from_str(line)
            .with_context(|| format!("{}, line {}", table.display(), number + 1))?;
        let [own, real] =
            ["hypervisor", "real"].map(|folder| corpus.join(folder).join(format!("{}.xz", row.base)));
        let base = if own.exists() { own } else { real };
        images.push(Image { name: row.name, base, edits: row.edits, avx: row.avx });
    }
    Ok(images)
}

impl Image {
    /// An image as it lies in a file, compressed by xz or not.
    pub(super) fn of_file(path: PathBuf) -> Image {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let name = file.split(".xl").next().unwrap_or_default().to_owned();
        Image { name, base: path, edits: Vec::new(), avx: false }
    }

    /// Its bytes.
    pub(super) fn bytes(&self, bases: &mut Bases) -> Result<Vec<u8>> {
        let base = bases.get(&self.base)?;
        if self.edits.is_empty() {
            return Ok(base.to_vec());
        }
        let mut edits: Vec<_> = self.edits.iter().collect();
        edits.sort();
        let (mut bytes, mut at) = (Vec::with_capacity(base.len()), 0);
        for (offset, removed, hex) in edits {
            let kept = base.get(at..*offset).with_context(|| format!("{}: edits overlap", self.name))?;
            bytes.extend_from_slice(kept);
            bytes.extend(from_hex(hex).with_context(|| format!("{}: not hex", self.name))?);
            at = offset + removed;
        }
        let kept = base.get(at..).with_context(|| format!("{}: edits reach past its end", self.name))?;
        bytes.extend_from_slice(kept);
        Ok(bytes)
    }
}

/// Bases, decompressed. Only the last one is kept: neighbours in the table have the same.
#[derive(Default)]
pub(super) struct Bases(HashMap<PathBuf, Vec<u8>>);

impl Bases {
    fn get(&mut self, path: &Path) -> Result<&[u8]> {
        if !self.0.contains_key(path) {
            self.0.clear();
            self.0.insert(path.to_owned(), read(path)?);
        }
        self.0.get(path).map(Vec::as_slice).context("the base was just read")
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let context = || path.display().to_string();
    let mut file = File::open(path).with_context(context)?;
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "xz") {
        liblzma::read::XzDecoder::new(file).read_to_end(&mut bytes).with_context(context)?;
    } else {
        file.read_to_end(&mut bytes).with_context(context)?;
    }
    ensure!(!bytes.is_empty(), "{} is empty", path.display());
    Ok(bytes)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}
