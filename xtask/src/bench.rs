//! `cargo xtask bench`: the benchmarks, and docs/benchmarks.md from what they measured.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use xenstream_peer::{Packages, Release};

use crate::{root, scratch};

/// The figures stand between these lines of docs/benchmarks.md; what stands around them is written by hand.
const BEGIN: &str = "<!-- Figures: made by `cargo xtask bench`. -->\n";
const END: &str = "<!-- End of the figures. -->\n";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Takes a few minutes and images of 1 GiB, and writes nothing.
    #[arg(long)]
    quick: bool,
}

/// One line of the report.
struct Row {
    what: &'static str,
    aim: &'static str,
    found: Found,
}

/// Where a line's figure is found.
enum Found {
    /// How much longer the other one takes: group, ours, the other one.
    Faster(&'static str, &'static str, &'static str),
    /// How much longer ours takes: group, ours, the other one.
    Slower(&'static str, &'static str, &'static str),
    /// Bytes or elements in a second: group, ours.
    Rate(&'static str, &'static str),
    /// What the benchmark `footprint` says.
    Figure(&'static str),
}

const fn row(what: &'static str, aim: &'static str, found: Found) -> Row {
    Row { what, aim, found }
}

const ROWS: &[Row] = {
    use Found::{Faster, Figure, Rate, Slower};
    const OURS: &str = "xenstream";
    &[
        row(
            "file, warm, whole process: of a header walk's time",
            "≤ 1.5",
            Slower("file warm", OURS, "header walk"),
        ),
        row("… faster than `dd bs=1M of=/dev/null`", "≥ 60", Faster("file warm", OURS, "dd")),
        row("… faster than Xen's verifier", "≥ 150", Faster("file warm", OURS, "Xen's verifier")),
        row(
            "file, warm, other programs between: of a header walk's time",
            "≤ 1.5",
            Slower("file warm, others between", OURS, "header walk"),
        ),
        row("… faster than `dd`", "≥ 60", Faster("file warm, others between", OURS, "dd")),
        row(
            "… faster than Xen's verifier",
            "≥ 150",
            Faster("file warm, others between", OURS, "Xen's verifier"),
        ),
        row("file, cold: faster than `dd`", "≥ 150", Faster("file cold", OURS, "dd")),
        row("… faster than a header walk without hints", "", Faster("file cold", OURS, "header walk")),
        row(
            "… of the time that its reads alone take, all asked for at once",
            "",
            Slower("file cold", OURS, "reads alone"),
        ),
        row("… read from disk", "≤ 0.5 %", Figure("read from disk of a cold file")),
        row(
            "file, 1 ms a read: faster than one dependent read a record",
            "≥ 12",
            Faster("file slow", OURS, "one dependent read a record"),
        ),
        row("sparse file: of a header walk's time", "", Slower("file sparse", OURS, "header walk")),
        row(
            "pipe spliced into: throughput of a splice drain",
            "≥ 0.8",
            Faster("pipe spliced into", OURS, "splice drain"),
        ),
        row(
            "pipe written into: throughput of a read drain",
            "≥ 1.0",
            Faster("pipe written into", OURS, "read drain"),
        ),
        row("memory, full batches: PFN entries", "≥ 7 GiB/s", Rate("memory entries", OURS)),
        row("… image", "", Rate("memory image", OURS)),
        row("memory, VERIFY", "", Rate("memory records", "VERIFY")),
        row("memory, PAGE_DATA of one XTAB", "", Rate("memory records", "PAGE_DATA of one XTAB")),
        row("relay, splice ends: throughput of `cat`", "≥ 5", Faster("relay spliced ends", OURS, "cat")),
        row(
            "… processor time of `cat`",
            "≤ 25 %",
            Figure("processor time of the relay, spliced ends, of that of cat"),
        ),
        row("relay, copying ends: throughput of `cat`", "≥ 1.5", Faster("relay copying ends", OURS, "cat")),
        row(
            "… processor time of `cat`",
            "≤ 25 %",
            Figure("processor time of the relay, copying ends, of that of cat"),
        ),
        row("peak memory, 1 GiB sparse", "≤ 4 MiB", Figure("peak memory for 1 GiB, sparse")),
        row(
            "… no file's, program and libraries not counted",
            "",
            Figure("memory of its own for 1 GiB, sparse"),
        ),
        row("peak memory, 64 GiB sparse", "≤ 4 MiB", Figure("peak memory for 64 GiB, sparse")),
        row("… no file's", "", Figure("memory of its own for 64 GiB, sparse")),
        row("peak memory, 1 TiB sparse", "≤ 4 MiB", Figure("peak memory for 1 TiB, sparse")),
        row("… no file's", "", Figure("memory of its own for 1 TiB, sparse")),
        row(
            "64 images on two cores: faster than on one",
            "≥ 1.8",
            Faster("batch", "on two cores", "on one core"),
        ),
        row("… descriptors open at a time", "bounded", Figure("descriptors open at a time for 64 images")),
        row("zstd input: throughput of `zstd -d`", "≥ 0.9", Faster("zstd", OURS, "zstd -d")),
        row("… of zstd's library alone", "", Faster("zstd", OURS, "zstd library")),
    ]
};

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let xen = match Packages::fetch(&scratch("peer"), Release::V4_17) {
        Ok(packages) => Some(packages),
        Err(error) => {
            println!("bench: without Xen's verifier, {error}");
            None
        }
    };
    let measured = Measured::take(!arguments.quick, xen.as_ref())?;
    let table = measured.table()?;
    println!("{table}");
    if arguments.quick {
        return Ok(());
    }
    let path = root().join("docs/benchmarks.md");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let around = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, behind)) = around else { bail!("docs/benchmarks.md has no place for the figures") };
    let machine = machine().context("the machine cannot be described")?;
    fs::write(&path, format!("{before}{BEGIN}\n{machine}\n{table}\n{END}{behind}"))
        .with_context(|| path.display().to_string())
}

/// What the benchmarks measured.
struct Measured {
    criterion: PathBuf,
    /// What `footprint` says.
    figures: String,
}

impl Measured {
    fn take(large: bool, xen: Option<&Packages>) -> Result<Measured> {
        let criterion = scratch("criterion");
        if criterion.exists() {
            // Figures of an earlier run would pass for this one's.
            fs::remove_dir_all(&criterion).with_context(|| criterion.display().to_string())?;
        }
        let bench = |name: &str| {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["bench", "--package", "xenstream-benches", "--features", "criterion"]);
            cargo.args(["--bench", name]).current_dir(root());
            cargo
                .env("CRITERION_HOME", &criterion)
                .env("XENSTREAM_BENCH_LARGE", if large { "1" } else { "0" });
            cargo.envs(xen.map(|packages| ("XENSTREAM_BENCH_XEN", packages.root())));
            cargo
        };
        let status = bench("limits").status().context("cargo does not start")?;
        ensure!(status.success(), "the benchmarks fail ({status})");
        let output = bench("footprint").output().context("cargo does not start")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the benchmark of the footprint fails ({})\n{said}", output.status);
        Ok(Measured { criterion, figures: String::from_utf8(output.stdout)? })
    }

    fn table(&self) -> Result<String> {
        let mut table = String::from("| path | aim | reached | medians |\n|---|---|---|---|\n");
        for Row { what, aim, found } in ROWS {
            // Not everything is measured everywhere: no 1 TiB in the quick set, no Xen without its packages.
            if let Some((reached, medians)) = self.look_up(found)? {
                writeln!(table, "| {what} | {aim} | {reached} | {medians} |")?;
            }
        }
        Ok(table)
    }

    /// The figure, and what it was made from.
    fn look_up(&self, found: &Found) -> Result<Option<(String, String)>> {
        match *found {
            Found::Faster(group, ours, other) | Found::Slower(group, ours, other) => {
                let (Some(ours), Some(other)) = (self.median(group, ours)?, self.median(group, other)?)
                else {
                    return Ok(None);
                };
                let ratio = if matches!(found, Found::Faster(..)) { other / ours } else { ours / other };
                Ok(Some((three_digits(ratio), format!("{} against {}", time(ours), time(other)))))
            }
            Found::Rate(group, ours) => {
                let Some(median) = self.median(group, ours)? else { return Ok(None) };
                let throughput =
                    self.json(group, ours, "benchmark.json")?.context("criterion wrote half a benchmark")?;
                let throughput = &throughput["throughput"];
                let rate = |amount: f64| amount / median * 1e9;
                if let Some(bytes) = throughput["Bytes"].as_f64() {
                    let rate = three_digits(rate(bytes) / f64::from(1 << 30));
                    return Ok(Some((format!("{rate} GiB/s"), time(median))));
                }
                let elements =
                    throughput["Elements"].as_f64().context("a throughput that nobody asked for")?;
                Ok(Some((time(median / elements), format!("{:.0} in {}", elements, time(median)))))
            }
            Found::Figure(name) => {
                let figure =
                    self.figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                let Some(figure) = figure else { return Ok(None) };
                let (value, unit) = figure.split_once(' ').unwrap_or((figure, ""));
                let value = three_digits(value.parse().with_context(|| figure.to_owned())?);
                Ok(Some((format!("{value} {unit}").trim().to_owned(), String::new())))
            }
        }
    }

    /// Nanoseconds; `None` if it was not measured.
    fn median(&self, group: &str, name: &str) -> Result<Option<f64>> {
        let Some(estimates) = self.json(group, name, "estimates.json")? else { return Ok(None) };
        let median = estimates["median"]["point_estimate"].as_f64();
        Ok(Some(median.with_context(|| format!("{group}, {name}: no median"))?))
    }

    fn json(&self, group: &str, name: &str, file: &str) -> Result<Option<serde_json::Value>> {
        let path: &Path = &self.criterion.join(group).join(name).join("new").join(file);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Ok(Some(serde_json::from_str(&text).with_context(|| path.display().to_string())?))
    }
}

/// The machine and the day, in a paragraph.
fn machine() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    let gib = kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 20;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let rustc = said("rustc", "--version")?;
    let day = said("date", "+%F")?;
    Ok(format!(
        "`cargo xtask bench`, {day}: {model}, {cores} cores, {gib} GiB of memory, Linux {}, {rustc}.\n",
        kernel.trim()
    ))
}

fn said(program: &str, argument: &str) -> Result<String> {
    let output = Command::new(program).arg(argument).output().with_context(|| program.to_owned())?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Nanoseconds in the unit that suits them.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{} ns", three_digits(n)),
        n if n < 1e6 => format!("{} µs", three_digits(n / 1e3)),
        n if n < 1e9 => format!("{} ms", three_digits(n / 1e6)),
        n => format!("{} s", three_digits(n / 1e9)),
    }
}

/// A number to about three digits: on a shared machine no more mean anything.
fn three_digits(value: f64) -> String {
    let decimals = match value {
        n if n < 10.0 => 2,
        n if n < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_a_place_in_the_document() {
        let text = fs::read_to_string(root().join("docs/benchmarks.md")).unwrap();
        let (_, rest) = text.split_once(BEGIN).unwrap();
        assert!(rest.contains(END));
    }

    #[test]
    fn numbers_are_as_exact_as_they_are_known() {
        for (value, text) in
            [(0.0, "0.00"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (1234.0, "1234")]
        {
            assert_eq!(three_digits(value), text);
        }
        assert_eq!(time(12_345_678.0), "12.3 ms");
    }
}
