//! `cargo xtask verdicts`: what a program says of every stream of the corpus, as a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::root;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Writes nothing and fails if the table says something else.
    #[arg(long)]
    check: bool,
    /// The program to ask in place of ours, such as that of an older commit. Prints what it says otherwise than the table.
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    program: Option<PathBuf>,
}

const PROFILES: [&str; 3] = ["spec", "restore", "hardened"];

/// Verdicts by stream, one for each profile: `valid`, or the verdict, rule and offset.
type Table = BTreeMap<String, [String; 3]>;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let file = root().join("corpus/verdicts.tsv");
    if let Some(program) = &arguments.program {
        return compare(&parse(&fs::read_to_string(&file)?)?, &ask(|| Command::new(program))?);
    }
    let ours = || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["run", "--quiet", "--package", "xenstream-cli", "--"]);
        cargo
    };
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "xenstream-cli"]).current_dir(root());
    ensure!(build.status()?.success(), "the program does not build");
    let now = text(&ask(ours)?)?;
    if !arguments.check {
        return fs::write(&file, now).context("the table cannot be written");
    }
    let known = fs::read_to_string(&file).context("corpus/verdicts.tsv")?;
    if known != now {
        compare(&parse(&known)?, &parse(&now)?)?;
        bail!("corpus/verdicts.tsv is not what `cargo xtask verdicts` writes");
    }
    Ok(())
}

/// Asks for all streams under each profile in turn.
fn ask(program: impl Fn() -> Command) -> Result<Table> {
    let mut table = Table::new();
    let streams = streams()?;
    for (column, profile) in PROFILES.into_iter().enumerate() {
        let mut program = program();
        program.args(["verify", "--json", "--profile", profile]).args(&streams);
        program.current_dir(root()).stdin(Stdio::null()).stderr(Stdio::null());
        let output = program.output().context("the program does not start")?;
        let lines = String::from_utf8(output.stdout).context("the program does not write UTF-8")?;
        let verdicts = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for line in verdicts.filter(|line| line.get("path").is_some()) {
            let (path, verdict) = verdict(&line)?;
            table.entry(path).or_default()[column] = verdict;
        }
    }
    ensure!(table.len() == streams.len(), "{} streams, but verdicts on {}", streams.len(), table.len());
    Ok(table)
}

/// The path, and what is said of it.
fn verdict(line: &Value) -> Result<(String, String)> {
    let path = line["path"].as_str().context("no path")?.to_owned();
    let verdict = line["verdict"].as_str().with_context(|| format!("{path}: no verdict"))?;
    let violation = &line["violation"];
    let verdict = match (violation["rule"].as_str(), violation["offset"].as_u64()) {
        (Some(rule), Some(offset)) => format!("{verdict} {rule} {offset}"),
        _ => verdict.to_owned(),
    };
    Ok((path, verdict))
}

/// Every stream of the corpus that lies in a file of its own.
fn streams() -> Result<Vec<String>> {
    let mut streams = Vec::new();
    let mut directories = vec![PathBuf::from("corpus")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory))? {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                directories.push(path);
            } else if is_stream(&path) {
                streams.push(path.to_str().context("a name that is not UTF-8")?.to_owned());
            }
        }
    }
    streams.sort();
    Ok(streams)
}

fn is_stream(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "bin" || extension == "xz")
}

fn text(table: &Table) -> Result<String> {
    let mut text = format!("stream\t{}\n", PROFILES.join("\t"));
    for (path, verdicts) in table {
        writeln!(text, "{path}\t{}", verdicts.join("\t"))?;
    }
    Ok(text)
}

fn parse(text: &str) -> Result<Table> {
    text.lines()
        .skip(1)
        .map(|line| {
            let mut columns = line.split('\t').map(str::to_owned);
            let path = columns.next().unwrap_or_default();
            let verdicts: Vec<String> = columns.collect();
            let verdicts = verdicts.try_into().ok().with_context(|| format!("{path}: not three verdicts"))?;
            Ok((path, verdicts))
        })
        .collect()
}

/// Prints what differs, by stream and profile.
fn compare(known: &Table, other: &Table) -> Result<()> {
    let nothing = || PROFILES.map(|_| "absent".to_owned());
    let paths: BTreeSet<&String> = known.keys().chain(other.keys()).collect();
    let mut differences = 0;
    for path in &paths {
        let (known, other) = (known.get(*path), other.get(*path));
        let (known, other) = (known.cloned().unwrap_or_else(nothing), other.cloned().unwrap_or_else(nothing));
        for ((profile, known), other) in PROFILES.iter().zip(&known).zip(&other) {
            if known != other {
                differences += 1;
                println!("{path} {profile}: {known}; the other says {other}");
            }
        }
    }
    println!("{} streams, {differences} of {} verdicts differ", paths.len(), 3 * paths.len());
    Ok(())
}
