//! The verdicts on record: `corpus/verdicts`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use xenstream_core::{Checkpointing, Format};

use crate::{Answer, Domain, Error, Release, Verdict};

/// Every stream on record, and what Xen's tools said of it.
#[derive(Debug)]
pub struct Recorded {
    rows: Vec<Row>,
    /// By the stream's name.
    releases: HashMap<String, RecordedReleases>,
    streams: HashMap<String, Vec<u8>>,
}

/// What is on record of one stream.
#[derive(Debug, Deserialize)]
pub struct Row {
    /// The stream's name.
    pub name: String,
    format: RecordedFormat,
    path: String,
    size: usize,
    #[serde(default)]
    options: Options,
    verifier: RecordedAnswer,
    restorer: Option<RecordedAnswer>,
    restorer_strict: Option<RecordedAnswer>,
    by_reading: Option<String>,
    #[serde(default)]
    depends_on_uninitialised_memory: bool,
}

/// What the restorers of several releases did with a bare libxc stream.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedReleases {
    name: String,
    #[serde(rename = "4.14.6")]
    v4_14: RecordedRelease,
    #[serde(rename = "4.17.7")]
    v4_17: RecordedRelease,
    #[serde(rename = "4.20.4")]
    v4_20: RecordedRelease,
}

#[derive(Debug, Deserialize)]
struct RecordedRelease {
    verdict: Verdict,
    message: String,
    /// Over a stand-in for the hypervisor that was strict with parameters, vcpu ids and the context's header, where that
    /// changed the verdict.
    strict: Option<RecordedAnswer>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RecordedFormat {
    Libxc,
    Libxl,
    Xl,
}

#[derive(Debug, Default, Deserialize)]
struct Options {
    stream: Option<RecordedKind>,
    #[serde(rename = "type")]
    domain: Option<RecordedDomain>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RecordedKind {
    Plain,
    Remus,
    Colo,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RecordedDomain {
    Hvm,
    Pv,
}

#[derive(Debug, Deserialize)]
struct RecordedAnswer {
    verdict: Verdict,
    message: String,
    #[serde(default)]
    max_allocation: u64,
}

impl Recorded {
    /// Reads the table and unpacks the streams.
    ///
    /// # Errors
    /// A file is missing or not what it should be, or a stream is not as long as the table says.
    pub fn load(directory: &Path) -> Result<Recorded, Error> {
        let table = directory.join("verdicts.jsonl");
        let rows: Vec<Row> = read_lines(&table)?;
        let releases: Vec<RecordedReleases> = read_lines(&directory.join("releases.jsonl"))?;
        let releases = releases.into_iter().map(|row| (row.name.clone(), row)).collect();
        let streams = unpack(&directory.join("streams.tar.zst"))?;
        if let Some(row) = rows.iter().find(|row| streams.get(&row.path).map(Vec::len) != Some(row.size)) {
            let why = format!("{} is not in the archive, or has another size there", row.path);
            return Err(Error::Form { path: table, why });
        }
        Ok(Recorded { rows, releases, streams })
    }

    /// Every stream: its row, its bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Row, &[u8])> {
        self.rows.iter().map(|row| (row, self.streams[&row.path].as_slice()))
    }

    /// What the restorer of a release did with a bare libxc stream. `None` where that is not on record, or depends on
    /// memory that the restorer never wrote.
    #[must_use]
    pub fn released(&self, row: &Row, release: Release) -> Option<Answer> {
        let answer = self.releases.get(&row.name)?.of(release);
        let lenient =
            || Answer { verdict: answer.verdict, message: answer.message.clone(), largest_allocation: 0 };
        let answer = answer.strict.as_ref().map_or_else(lenient, RecordedAnswer::answer);
        Some(answer).filter(|_| !row.is_unsteady())
    }

    /// Verdicts of a release's restorer when it ran: was the stand-in for the hypervisor strict, and what came of it.
    pub fn ran(&self, row: &Row, release: Release) -> impl Iterator<Item = (bool, Verdict)> {
        let answer = self.releases.get(&row.name).map(|answers| answers.of(release));
        let lenient = answer.map(|answer| (false, answer.verdict));
        let strict = answer.and_then(|answer| answer.strict.as_ref()).map(|answer| (true, answer.verdict));
        lenient.into_iter().chain(strict)
    }

    /// The releases to which the stream did harm, before anything imitated the hypervisor's own refusals, which come too
    /// late to prevent it.
    #[must_use]
    pub fn harmed(&self, row: &Row) -> Vec<Release> {
        let releases = self.releases.get(&row.name);
        let is_harmed = |release: &Release| releases.is_some_and(|row| row.of(*release).verdict.is_harm());
        Release::ALL.into_iter().filter(is_harmed).collect()
    }
}

impl RecordedReleases {
    fn of(&self, release: Release) -> &RecordedRelease {
        match release {
            Release::V4_14 => &self.v4_14,
            Release::V4_17 => &self.v4_17,
            Release::V4_20 => &self.v4_20,
        }
    }
}

fn read_lines<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    text.lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Form { path: path.to_owned(), why: error.to_string() })
}

impl Row {
    /// The stream's format.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.format {
            RecordedFormat::Libxc => Format::Libxc,
            RecordedFormat::Libxl => Format::Libxl,
            RecordedFormat::Xl => Format::Xl,
        }
    }

    /// What the restorer was told that the stream is.
    #[must_use]
    pub fn checkpointing(&self) -> Checkpointing {
        match self.options.stream {
            None => Checkpointing::Auto,
            Some(RecordedKind::Plain) => Checkpointing::Plain,
            Some(RecordedKind::Remus) => Checkpointing::Remus,
            Some(RecordedKind::Colo) => Checkpointing::Colo,
        }
    }

    /// What the domain to restore into was created as.
    #[must_use]
    pub fn domain(&self) -> Domain {
        match self.options.domain {
            None => Domain::AsTheStreamSays,
            Some(RecordedDomain::Hvm) => Domain::Hvm,
            Some(RecordedDomain::Pv) => Domain::Pv,
        }
    }

    /// What Xen's verifier said.
    #[must_use]
    pub fn verifier(&self) -> Answer {
        self.verifier.answer()
    }

    /// What Xen's restore code did; for an xl header, what its source says that it would do. `None` where that
    /// depends on memory that the restorer never wrote.
    #[must_use]
    pub fn restorer(&self) -> Option<Answer> {
        if self.depends_on_uninitialised_memory {
            return None;
        }
        let ran = self.restorer_strict.as_ref().or(self.restorer.as_ref()).map(RecordedAnswer::answer);
        ran.or_else(|| self.by_reading.as_deref().map(read))
    }

    /// Whether the restorer's verdict depends on uninitialised memory, and may differ from run to run.
    #[must_use]
    pub fn is_unsteady(&self) -> bool {
        self.depends_on_uninitialised_memory
    }

    /// What Xen's restore code did before anything imitated the hypervisor's own refusals, which come too late to
    /// prevent harm.
    #[must_use]
    pub fn harm(&self) -> Option<Verdict> {
        self.restorer.as_ref().map(|answer| answer.verdict).filter(|verdict| verdict.is_harm())
    }
}

impl RecordedAnswer {
    fn answer(&self) -> Answer {
        Answer {
            verdict: self.verdict,
            message: self.message.clone(),
            largest_allocation: self.max_allocation,
        }
    }
}

/// The verdict in a sentence about the source: it starts with `accept` unless something else comes of it in the end.
fn read(sentence: &str) -> Answer {
    let (verdict, message) = match sentence {
        accept if accept.starts_with("accept") => (Verdict::Accept, String::new()),
        refuse => (Verdict::Reject, refuse.to_owned()),
    };
    Answer { verdict, message, largest_allocation: 0 }
}

fn unpack(path: &Path) -> Result<HashMap<String, Vec<u8>>, Error> {
    let file = File::open(path).map_err(Error::file(path))?;
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).map_err(Error::file(path))?);
    let mut streams = HashMap::new();
    for entry in archive.entries().map_err(Error::file(path))? {
        let mut entry = entry.map_err(Error::file(path))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(Error::file(path))?;
        let name = name.strip_prefix(".").unwrap_or(&name).to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(Error::file(path))?;
        streams.insert(name, bytes);
    }
    Ok(streams)
}
