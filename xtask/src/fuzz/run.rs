//! One run of one target, and what libFuzzer says of it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{directory, inputs};
use crate::scratch;

/// What a run came to.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) target: String,
    pub(super) executions: u64,
    pub(super) per_second: u64,
    /// Edges of the program that were reached.
    pub(super) edges: u64,
    /// Edges, and how often, and what was compared there.
    pub(super) features: u64,
    /// Inputs that reached something new.
    pub(super) new_inputs: u64,
    /// The input for which the property does not hold, and what was said of it.
    pub(super) failure: Option<(PathBuf, String)>,
}

impl Run {
    /// Runs a target for so long on what has been collected for it.
    pub(super) fn of(name: &str, binaries: &Path, seconds: u64, max_len: usize) -> Result<Run> {
        let artifacts = directory().join("artifacts").join(name);
        fs::create_dir_all(&artifacts).with_context(|| artifacts.display().to_string())?;
        let log = scratch("fuzz-logs").join(format!("{name}.log"));
        fs::create_dir_all(scratch("fuzz-logs"))?;
        let file = fs::File::create(&log).with_context(|| log.display().to_string())?;
        let mut fuzzer = Command::new(binaries.join(name));
        fuzzer
            .arg(inputs(name))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={max_len}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1"])
            // A Rust program defines some symbols twice, which does no harm.
            .env("ASAN_OPTIONS", "detect_odr_violation=0")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        let status = fuzzer.status().with_context(|| format!("{name} does not start"))?;
        let said = fs::read(&log).with_context(|| log.display().to_string())?;
        let mut run = Run::read(name, &String::from_utf8_lossy(&said));
        if !status.success() && run.failure.is_none() {
            run.failure = Some((log, status.to_string()));
        }
        Ok(run)
    }

    /// What was found, for people.
    pub(super) fn finding(&self) -> Option<String> {
        let (artifact, said) = self.failure.as_ref()?;
        Some(format!("{}: {}\n    {said}", self.target, artifact.display()))
    }

    /// Reads libFuzzer's lines.
    fn read(target: &str, log: &str) -> Run {
        let mut run = Run { target: target.to_owned(), ..Run::default() };
        let mut said = "";
        let mut lines = log.lines();
        while let Some(line) = lines.next() {
            if let Some(numbers) = line.strip_prefix("stat::") {
                let (name, value) = numbers.split_once(':').unwrap_or((numbers, ""));
                let value = value.trim().parse().unwrap_or(0);
                match name {
                    "number_of_executed_units" => run.executions = value,
                    "average_exec_per_sec" => run.per_second = value,
                    "new_units_added" => run.new_inputs = value,
                    _ => {}
                }
            } else if line.starts_with('#') && line.contains(" cov: ") {
                run.edges = number_behind(line, "cov:").unwrap_or(run.edges);
                run.features = number_behind(line, "ft:").unwrap_or(run.features);
            } else if line.contains("panicked at ") {
                said = lines.next().unwrap_or(line);
            } else if said.is_empty() && (line.contains("ERROR: ") || line.contains("ALARM: ")) {
                said = line;
            } else if let Some((_, path)) = line.split_once("Test unit written to ") {
                run.failure = Some((path.into(), said.to_owned()));
            }
        }
        run
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run { target, executions, per_second, edges, features, new_inputs, failure } = self;
        write!(
            f,
            "{target}: {executions} executions, {per_second}/s, {edges} edges, {features} features, \
             {new_inputs} new inputs, {} findings",
            u8::from(failure.is_some())
        )
    }
}

/// The number that follows a word.
fn number_behind(line: &str, word: &str) -> Option<u64> {
    let (_, rest) = line.split_once(word)?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_libfuzzer_says() {
        let log = "\
INFO: Running with entropic power schedule (0xFF, 100).
#2\tINITED cov: 3 ft: 4 corp: 1/1b exec/s: 0 rss: 30Mb
#1048576\tpulse  cov: 811 ft: 2718 corp: 512/9Kb lim: 4096 exec/s: 262144 rss: 60Mb
Done 1048600 runs in 4 second(s)
stat::number_of_executed_units: 1048600
stat::average_exec_per_sec:     262150
stat::new_units_added:          37
";
        let run = Run::read("splits", log);
        assert_eq!((run.executions, run.per_second, run.new_inputs), (1_048_600, 262_150, 37));
        assert_eq!((run.edges, run.features), (811, 2718));
        assert!(run.finding().is_none());
    }

    #[test]
    fn reads_what_it_found() {
        let log = "\
thread '<unnamed>' panicked at properties/src/splits.rs:1:1:
assertion failed
==7== ERROR: libFuzzer: deadly signal
artifact_prefix='a/'; Test unit written to a/crash-0
";
        let (artifact, said) = Run::read("splits", log).failure.expect("a finding");
        assert_eq!((artifact.as_path(), said.as_str()), (Path::new("a/crash-0"), "assertion failed"));
    }
}
