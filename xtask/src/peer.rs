//! `cargo xtask peer`: xenstream beside Xen's own verifier and restorer, on thousands of made-up streams.

mod streams;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use xenstream_core::{Checkpointing, Format, Level, Policy, Profile, Rule};
use xenstream_peer::{
    Answer, Comparison, Differences, Disagreement, Domain, Error, Harness, Packages, Recorded, Restorer,
    Verdict, Verifier, judge,
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
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let directory = scratch("peer");
    let tools = match Tools::get(&directory) {
        Ok(tools) => tools,
        // A machine that tests every change and could have them must not pass without.
        Err(error @ Error::Unavailable { .. }) if !(is_ci() && has_apt()) => {
            println!("peer: skipped, {error}");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    recorded(&tools, &directory)?;
    made_up(&tools, &directory, arguments)
}

/// Xen's tools, ready to be started.
struct Tools {
    packages: Packages,
    harness: Harness,
}

impl Tools {
    fn get(directory: &Path) -> Result<Tools, Error> {
        let packages = Packages::fetch(directory)?;
        let harness = Harness::build(&packages, directory)?;
        // Started once before anything depends on it, so that a missing Python is told like a missing package.
        Verifier::start(&packages)?;
        Ok(Tools { packages, harness })
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
        if row.format() != Format::Libxc || row.is_unsteady() {
            continue;
        }
        // Ten seconds are more on one machine than on another, and what lasts so long takes gigabytes besides.
        for (strict, expected) in row.ran().filter(|(_, verdict)| *verdict != Verdict::Timeout) {
            let mut restorer = tools.harness.start(row.checkpointing(), row.domain(), strict)?;
            let answer = restorer.ask(&stream)?;
            if answer.verdict == Verdict::Timeout {
                continue;
            }
            ensure!(answer.verdict == expected, "{}: Xen's restorer now says {answer:?}", row.name);
            asked += 1;
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
    harm: Option<Answer>,
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
    /// What is not compared.
    on_record: Differences,
    /// Plain and Remus.
    lenient: [Restorer; 2],
    strict: [Restorer; 2],
}

impl Asker {
    fn start(tools: &Tools, file: PathBuf) -> Result<Asker> {
        let restorers = |strict| -> Result<_, Error> {
            let start = |kind| tools.harness.start(kind, Domain::AsTheStreamSays, strict);
            Ok([start(Checkpointing::Plain)?, start(Checkpointing::Remus)?])
        };
        Ok(Asker {
            file,
            verifier: Verifier::start(&tools.packages)?,
            on_record: on_record()?,
            lenient: restorers(false)?,
            strict: restorers(true)?,
        })
    }

    fn put(&self, bytes: &[u8]) -> Result<PathBuf> {
        fs::write(&self.file, bytes).with_context(|| self.file.display().to_string())?;
        Ok(self.file.clone())
    }

    fn compare(&mut self, case: Case) -> Result<Finding> {
        let stream = self.put(&case.bytes)?;
        let lowered = |profile| self.on_record.lowered(Policy::new(profile));
        let policy = |profile| lowered(profile).with_checkpointing(case.checkpointing);
        let ours = |policy| judge(&case.bytes, case.format, &policy);
        let mut disagreements = Vec::new();
        let mut harm = None;

        // The verifier knows nothing of checkpoints: to it a stream that fails over is torn, and what libxl says between
        // two of them is libxc's.
        if case.format == Format::Libxc || !case.is_checkpointed {
            let whole = policy(Profile::Spec).with_level(Rule::StreamFailover, Level::Deny)?;
            let answer = self.verifier.ask(case.format, &stream)?;
            disagreements.extend(Disagreement::between(Comparison::SpecVerifier, ours(whole), &answer));
        }
        if case.format == Format::Libxc {
            let kind = usize::from(case.checkpointing == Checkpointing::Remus);
            let mut answer = self.lenient[kind].ask(&stream)?;
            let is_harm = answer.verdict.is_harm() || answer.largest_allocation > BALLOON;
            if is_harm && ours(policy(Profile::Hardened)).is_none() {
                harm = Some(answer.clone());
            }
            if answer.verdict == Verdict::Accept {
                answer = self.strict[kind].ask(&stream)?;
            }
            let ours = ours(policy(Profile::Restore));
            // What comes after the last checkpoint the restorer stores, and throws away unread.
            let last = streams::last_checkpoint(&case.bytes).filter(|_| kind == 1);
            let is_read = |at| last.is_none_or(|last| at < last);
            if answer.verdict != Verdict::Timeout && ours.is_none_or(|violation| is_read(violation.offset)) {
                disagreements.extend(Disagreement::between(Comparison::RestoreRestorer, ours, &answer));
            }
        }
        Ok(Finding { case, disagreements, harm })
    }
}

/// The differences that recorded streams show.
fn on_record() -> Result<Differences, Error> {
    Differences::load(&root().join("corpus/verdicts/differences.toml"))
}

fn report(mut findings: Vec<Finding>, directory: &Path, arguments: &Arguments) -> Result<()> {
    findings.sort_by(|a, b| a.case.name.cmp(&b.case.name));
    // What recorded streams show, then what only made-up ones do.
    let mut on_record = on_record()?;
    let mut made_up = Differences::load(&root().join("xtask/peer/differences.toml"))?;
    let mut lines = Vec::new();
    let mut explained = 0;
    let saved = directory.join("disagreements");
    if saved.exists() {
        fs::remove_dir_all(&saved).with_context(|| saved.display().to_string())?;
    }
    for Finding { case, disagreements, harm } in &findings {
        let before = lines.len();
        for disagreement in disagreements {
            if on_record.explain(&case.name, disagreement).is_some()
                || made_up.explain(&case.name, disagreement).is_some()
            {
                explained += 1;
            } else {
                lines.push(format!("{}: {disagreement}", case.name));
            }
        }
        if let Some(answer) = harm {
            lines.push(format!(
                "{}: hardened lets through what the restorer suffers from: {answer:?}",
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
    println!(
        "peer: {} made-up streams from seed {}: every difference from Xen's tools has a reason ({explained} have one)",
        arguments.count, arguments.seed
    );
    Ok(())
}
