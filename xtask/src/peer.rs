//! `cargo xtask peer`: xenstream beside Xen's own verifier and restorer, on thousands of made-up streams.

mod conversions;
mod streams;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use xenstream_core::{Checkpointing, Format, Layer, Level, Policy, Profile, Rule, Violation};
use xenstream_peer::{
    Answer, Comparison, Differences, Disagreement, Domain, Error, Harness, Packages, Recorded, Release,
    Restorer, Verdict, Verifier, judge,
};

use crate::{root, scratch};
use streams::Case;

/// What the restorer may ask for in one piece for a stream that hardened accepts: twice the longest record.
const BALLOON: u64 = 256 << 20;

/// Differences that are listed; all of them are saved.
const LISTED: usize = 20;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many streams.
    #[arg(long, default_value_t = 4000)]
    count: u64,
    /// What they are made from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The releases of Xen whose restorers are asked.
    #[arg(long, value_delimiter = ',', default_value = "4.17")]
    xen: Vec<Release>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let directory = scratch("peer");
    let tools = match Tools::get(&directory, &arguments.xen) {
        Ok(tools) => tools,
        // A machine that tests every change and could have them must not pass without.
        Err(error @ Error::Unavailable { .. }) if !(is_ci() && has_apt()) => {
            println!("peer: skipped, {error}");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    recorded(&tools, &directory)?;
    conversions::conversions(&tools.harnesses, &directory)?;
    made_up(&tools, &directory, arguments)
}

/// Xen's tools, ready to be started.
struct Tools {
    /// Those of the release whose verifier is on record.
    packages: Packages,
    harnesses: Vec<Harness>,
}

impl Tools {
    fn get(directory: &Path, releases: &[Release]) -> Result<Tools, Error> {
        let packages = Packages::fetch(directory, Release::default())?;
        let releases: BTreeSet<_> = releases.iter().copied().collect();
        let harnesses = releases
            .into_iter()
            .map(|release| {
                let packages = Packages::fetch(directory, release)?;
                Harness::build(&packages, packages.directory())
            })
            .collect::<Result<_, _>>()?;
        // Started once before anything depends on it, so that a missing Python is told like a missing package.
        Verifier::start(&packages)?;
        Ok(Tools { packages, harnesses })
    }
}

pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

pub(crate) fn has_apt() -> bool {
    std::process::Command::new("apt-get")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
}

// ---- the tools say what they are on record for ----

fn recorded(tools: &Tools, directory: &Path) -> Result<()> {
    let recorded = Recorded::load(&root().join("corpus/verdicts"))?;
    let mut asker = Asker::start(tools, directory.join("recorded"))?;
    let mut asked = 0;
    for (row, bytes) in recorded.iter() {
        let stream = asker.put(bytes)?;
        let verifier = asker.verifier.ask(row.format(), &stream)?;
        ensure!(
            verifier.verdict == row.verifier().verdict,
            "{}: Xen's verifier now says {verifier:?}",
            row.name
        );
        asked += 1;
        // Ten seconds are more on one machine than on another, and what lasts so long takes gigabytes besides.
        if row.format() != Format::Libxc || row.is_unsteady() || row.harm() == Some(Verdict::Timeout) {
            continue;
        }
        for harness in &tools.harnesses {
            for (strict, expected) in recorded.ran(row, harness.release()) {
                let answer = harness.start(row.checkpointing(), row.domain(), strict)?.ask(&stream)?;
                if answer.verdict == Verdict::Timeout {
                    continue;
                }
                let (name, release) = (&row.name, harness.release());
                ensure!(
                    answer.verdict == expected,
                    "{name}: Xen's restorer of {release} now says {answer:?}"
                );
                asked += 1;
            }
        }
    }
    println!("peer: {asked} recorded verdicts are what Xen's tools say");
    Ok(())
}

// ---- made-up streams ----

/// One stream on which two programs differ.
struct Finding {
    case: Case,
    disagreements: Vec<Disagreement>,
    /// What the restorer suffered from a stream that hardened lets through.
    harm: Option<(Release, Answer)>,
}

fn made_up(tools: &Tools, directory: &Path, arguments: &Arguments) -> Result<()> {
    let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
    let (sender, findings) = mpsc::channel();
    let findings: Vec<Finding> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let sender = sender.clone();
                let file = directory.join(format!("stream-{worker}"));
                let numbers = (worker..arguments.count).step_by(workers as usize);
                scope.spawn(move || compare(tools, file, arguments.seed, numbers, &sender))
            })
            .collect();
        drop(sender);
        let findings = findings.iter().collect();
        for thread in threads {
            thread.join().expect("a worker does not panic")?;
        }
        anyhow::Ok(findings)
    })?;
    report(findings, directory, arguments)
}

fn compare(
    tools: &Tools,
    file: PathBuf,
    seed: u64,
    numbers: impl Iterator<Item = u64>,
    findings: &Sender<Finding>,
) -> Result<()> {
    let mut asker = Asker::start(tools, file)?;
    for number in numbers {
        let case = streams::case(seed, number);
        let finding = asker.compare(case).with_context(|| format!("stream {seed}-{number:05}"))?;
        if finding.harm.is_some() || !finding.disagreements.is_empty() {
            findings.send(finding)?;
        }
    }
    Ok(())
}

/// Started tools, and the file through which they are handed streams.
struct Asker {
    file: PathBuf,
    verifier: Verifier,
    restorers: Vec<Restorers>,
    /// What is not compared with the verifier, and what not with the restorers.
    on_record: Differences,
    made_up: Differences,
}

/// The restorers of one release: for plain and for Remus streams.
struct Restorers {
    release: Release,
    lenient: [Restorer; 2],
    strict: [Restorer; 2],
}

impl Restorers {
    fn start(harness: &Harness) -> Result<Restorers, Error> {
        let start = |strict| -> Result<_, Error> {
            let start = |kind| harness.start(kind, Domain::AsTheStreamSays, strict);
            Ok([start(Checkpointing::Plain)?, start(Checkpointing::Remus)?])
        };
        Ok(Restorers { release: harness.release(), lenient: start(false)?, strict: start(true)? })
    }
}

impl Asker {
    fn start(tools: &Tools, file: PathBuf) -> Result<Asker> {
        Ok(Asker {
            file,
            verifier: Verifier::start(&tools.packages)?,
            restorers: tools.harnesses.iter().map(Restorers::start).collect::<Result<_, _>>()?,
            on_record: on_record()?,
            made_up: made_up_only()?,
        })
    }

    fn put(&self, bytes: &[u8]) -> Result<PathBuf> {
        fs::write(&self.file, bytes).with_context(|| self.file.display().to_string())?;
        Ok(self.file.clone())
    }

    fn compare(&mut self, case: Case) -> Result<Finding> {
        let stream = self.put(&case.bytes)?;
        let ours =
            |policy: Policy| judge(&case.bytes, case.format, &policy.with_checkpointing(case.checkpointing));
        let mut disagreements = Vec::new();
        let mut harm = None;

        // The verifier knows nothing of checkpoints: to it a stream that fails over is torn, and what libxl says between
        // two of them is libxc's.
        if case.format == Format::Libxc || !case.is_checkpointed {
            let spec = self.on_record.lowered(Policy::new(Profile::Spec));
            let answer = self.verifier.ask(case.format, &stream)?;
            let whole = spec.with_level(Rule::StreamFailover, Level::Deny)?;
            disagreements.extend(Disagreement::between(Comparison::SpecVerifier, ours(whole), &answer));
        }
        if case.format == Format::Libxc {
            let kind = usize::from(case.checkpointing == Checkpointing::Remus);
            // What comes after the last checkpoint the restorer stores, and throws away unread. Of what came before the one
            // before it the hypervisor is told nothing.
            let checkpoints = if kind == 1 { streams::checkpoints(&case.bytes) } else { Vec::new() };
            let is_read = |violation: &Violation| {
                let of_state = matches!(violation.rule.layer(), Layer::Hvm | Layer::Pv);
                let (before, last) = match checkpoints[..] {
                    [.., before, last] => (before, last),
                    [last] => (0, last),
                    [] => (0, u64::MAX),
                };
                violation.offset < last && !(of_state && violation.offset < before)
            };
            let hardened = ours(self.made_up.lowered(Policy::new(Profile::Hardened)));
            for Restorers { release, lenient, strict } in &mut self.restorers {
                let mut answer = lenient[kind].ask(&stream)?;
                let is_harm = answer.verdict.is_harm() || answer.largest_allocation > BALLOON;
                if is_harm && hardened.is_none() {
                    harm = Some((*release, answer.clone()));
                }
                if answer.verdict == Verdict::Accept {
                    answer = strict[kind].ask(&stream)?;
                }
                let comparison = Comparison::TargetRestorer(*release);
                let ours = ours(self.made_up.lowered(comparison.policy()));
                if answer.verdict != Verdict::Timeout && ours.as_ref().is_none_or(is_read) {
                    disagreements.extend(Disagreement::between(comparison, ours, &answer));
                }
            }
        }
        Ok(Finding { case, disagreements, harm })
    }
}

/// The differences that recorded streams show.
fn on_record() -> Result<Differences, Error> {
    Differences::load(&root().join("corpus/verdicts/differences.toml"))
}

/// The differences that only made-up streams show.
fn made_up_only() -> Result<Differences, Error> {
    Differences::load(&root().join("xtask/peer/differences.toml"))
}

fn report(mut findings: Vec<Finding>, directory: &Path, arguments: &Arguments) -> Result<()> {
    findings.sort_by(|a, b| a.case.name.cmp(&b.case.name));
    // What recorded streams show, then what only made-up ones do.
    let mut on_record = on_record()?;
    let mut made_up = made_up_only()?;
    let mut lines = Vec::new();
    let mut explained = 0;
    let saved = directory.join("disagreements");
    if saved.exists() {
        fs::remove_dir_all(&saved).with_context(|| saved.display().to_string())?;
    }
    for Finding { case, disagreements, harm } in &findings {
        let before = lines.len();
        for disagreement in disagreements {
            // The hypervisor whose refusals were recorded knew of a few values only: its reasons are not those of this one.
            let is_explained = made_up.explain(&case.name, disagreement).is_some()
                || disagreement.comparison == Comparison::SpecVerifier
                    && on_record.explain(&case.name, disagreement).is_some();
            if is_explained {
                explained += 1;
            } else {
                lines.push(format!("{}: {disagreement}", case.name));
            }
        }
        if let Some((release, answer)) = harm {
            lines.push(format!(
                "{}: hardened lets through what the restorer of {release} suffers from: {answer:?}",
                case.name
            ));
        }
        if lines.len() > before {
            fs::create_dir_all(&saved)?;
            let file = saved.join(format!("{}.{}", case.name, case.format));
            fs::write(&file, &case.bytes).with_context(|| file.display().to_string())?;
        }
    }
    if !lines.is_empty() {
        fs::write(saved.join("differences.txt"), lines.join("\n")).context("the list cannot be saved")?;
        for line in lines.iter().take(LISTED) {
            eprintln!("{line}");
        }
        bail!("{} differences without a reason; the streams are in {}", lines.len(), saved.display());
    }
    // Which differences some thousands of streams show is chance: the recorded ones are held to both directions by a test.
    for reason in made_up.stale().iter().filter(|reason| !reason.starts_with("not-compared")) {
        println!("peer: no stream showed the difference {reason}");
    }
    println!(
        "peer: {} made-up streams from seed {}: every difference from Xen's tools has a reason ({explained} have one)",
        arguments.count, arguments.seed
    );
    Ok(())
}
