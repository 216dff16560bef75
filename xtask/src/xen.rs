//! `cargo xtask xen`: Debian's real Xen, with its tools in a small dom0, under QEMU's emulation. Images are put to
//! `xl restore`, alone and with xenstream's helper in front of Xen's, and a line of JSON says what came of each.

mod answer;
mod images;
mod initramfs;
mod machine;
mod packages;
mod summary;
mod table;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use xenstream_peer::Release;

use crate::{root, scratch};
use answer::{Answer, Verdict};
use images::{Bases, Image};
use machine::{Heard, Kit, Machine};
use summary::Summary;

/// How long a restore may take. It takes five to twenty seconds.
const RESTORE: Duration = Duration::from_secs(180);
/// How long dom0 may take for what it does each second.
const ALIVE: Duration = Duration::from_secs(20);
/// How long a guest may take to run for half a second and be destroyed. It takes two to five seconds.
const DESTROY: Duration = Duration::from_secs(90);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The releases of Xen that are booted, one after the other.
    #[arg(long = "release", value_delimiter = ',', default_value = "4.17")]
    releases: Vec<Release>,
    /// Boots, shows what `xl info` says, and restores nothing.
    #[arg(long)]
    boot: bool,
    /// Who restores: Xen's helper alone, or with xenstream's in front of it.
    #[arg(long, value_enum, default_value_t = Through::Both)]
    through: Through,
    /// Only images whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Asks again what an earlier run or corpus/hypervisor/answers.jsonl has an answer to.
    #[arg(long)]
    again: bool,
    /// Writes the answers of earlier runs to corpus/hypervisor/answers.jsonl, and boots nothing.
    #[arg(long)]
    record: bool,
    /// Images to restore, instead of those of the repository.
    images: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Through {
    Alone,
    Helper,
    Both,
}

impl Through {
    /// Whether xenstream's helper is there, for each way to go.
    fn ways(self) -> &'static [bool] {
        match self {
            Through::Alone => &[false],
            Through::Helper => &[true],
            Through::Both => &[false, true],
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let directory = scratch("xen");
    if arguments.record {
        return table::record(&directory);
    }
    for &release in &arguments.releases {
        let kit = Kit::build(&directory, release)?;
        if arguments.boot {
            let (_machine, took) = Machine::boot(&kit, false)?;
            println!("{}", kit.reported("info").trim_end());
            println!("xen: {} was up after {:.0} s", version(&kit)?, took.as_secs_f64());
            continue;
        }
        ask_all(&kit, arguments)?;
    }
    Ok(())
}

/// Restores every image, and goes on after those that take the host down.
fn ask_all(kit: &Kit, arguments: &Arguments) -> Result<()> {
    let images = match &arguments.images[..] {
        [] => images::of_the_repository()?,
        files => files.iter().cloned().map(Image::of_file).collect(),
    };
    if arguments.through != Through::Alone {
        build_helper(&kit.shared("save-helper"))?;
    }
    let kept = answers_of(kit.directory());
    let mut known = HashSet::new();
    if !arguments.again {
        known.extend(answer::load(&kept)?.into_iter().map(|answer| (answer.image, answer.helper)));
        known.extend(table::images_of(kit.release)?.into_iter().map(|image| (image, false)));
    }
    let mut file = answer::open(&kept)?;
    let (mut bases, mut running, mut asked) = (Bases::default(), None, 0);
    for image in images.iter().filter(|image| image.name.contains(&arguments.only)) {
        for &helper in arguments.through.ways() {
            if known.contains(&(image.name.clone(), helper)) {
                continue;
            }
            let machine = match running.take().filter(|machine: &Machine| machine.avx == image.avx) {
                Some(machine) => machine,
                None => boot(kit, image.avx)?,
            };
            let path = kit.shared("image");
            fs::write(&path, image.bytes(&mut bases)?).with_context(|| path.display().to_string())?;
            let (answer, left) = ask(kit, machine, &image.name, helper)?;
            running = left;
            answer::keep(&mut file, &answer)?;
            println!("{}", answer.json()?);
            asked += 1;
        }
    }
    eprintln!("xen: {asked} restores on Xen {}; all answers are in {}", kit.release, kept.display());
    eprint!("{}", Summary::of(answer::load(&kept)?));
    Ok(())
}

/// Where the answers of a release are kept.
fn answers_of(directory: &Path) -> PathBuf {
    directory.join("answers.jsonl")
}

fn boot(kit: &Kit, avx: bool) -> Result<Machine> {
    let (machine, took) = Machine::boot(kit, avx)?;
    eprintln!("xen: {} was up after {:.0} s", version(kit)?, took.as_secs_f64());
    Ok(machine)
}

/// The release in full, as the hypervisor calls itself.
fn version(kit: &Kit) -> Result<String> {
    let info = kit.reported("info");
    let line = info.lines().find_map(|line| line.strip_prefix("xen_version"));
    line.map(|rest| rest.trim_start_matches([' ', ':']).to_owned())
        .with_context(|| format!("`xl info` does not say which Xen it is: {info}"))
}

/// Restores one image. Gives the machine back if it can be asked again.
fn ask(kit: &Kit, mut machine: Machine, name: &str, helper: bool) -> Result<(Answer, Option<Machine>)> {
    for reported in ["log", "state"] {
        fs::write(kit.shared(reported), "").context("dom0's files cannot be emptied")?;
    }
    let (start, console) = (Instant::now(), machine.console_length());
    machine.ask(&format!("{name} {}", if helper { "helper" } else { "alone" }))?;
    let (verdict, is_usable) = match machine.wait_for("restored", RESTORE)? {
        Heard::Gone => (Verdict::HostCrash, false),
        Heard::Late if is_alive(kit) => (Verdict::Timeout, false),
        Heard::Late => (Verdict::HostHang, false),
        Heard::Answer(status) => match machine.wait_for("done", DESTROY)? {
            Heard::Gone => (Verdict::HostCrash, false),
            // The answer is there; it is the host that is no longer fit for another.
            Heard::Late => (verdict_of(&status), false),
            Heard::Answer(_) => (verdict_of(&status), true),
        },
    };
    let log = kit.reported("log");
    ensure!(!log.contains("already exists"), "{name}: the guest before it is still there");
    let answer = Answer {
        image: name.to_owned(),
        xen: version(kit)?,
        helper,
        verdict,
        state: state(&kit.reported("state")),
        log,
        console: machine.console_from(console)?,
        seconds: start.elapsed().as_secs_f64(),
    };
    Ok((answer, is_usable.then_some(machine)))
}

/// Whether dom0 does anything, by the file that it writes to each second.
fn is_alive(kit: &Kit) -> bool {
    let length = || fs::metadata(kit.shared("alive")).map_or(0, |metadata| metadata.len());
    let before = length();
    let deadline = Instant::now() + ALIVE;
    while Instant::now() < deadline {
        if length() != before {
            return true;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    false
}

fn verdict_of(status: &str) -> Verdict {
    if status == "0" { Verdict::Taken } else { Verdict::Refused }
}

/// State and time of the guest, from what `xl list` shows of it in its last line.
fn state(list: &str) -> String {
    let guest = list.lines().skip(1).find(|line| !line.starts_with("Domain-0"));
    let words: Vec<_> = guest.unwrap_or_default().split_whitespace().collect();
    match words[..] {
        [.., flags, time] => format!("{flags} {time} s"),
        _ => String::new(),
    }
}

/// Builds xenstream-save-helper for any dom0: with a C library of its own, as each release has another.
fn build_helper(to: &Path) -> Result<()> {
    let target = "x86_64-unknown-linux-gnu";
    let directory = scratch("xen").join("build");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "xenstream-save-helper", "--target", target, "--target-dir"])
        .arg(&directory)
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-Ctarget-feature=+crt-static")
        .current_dir(root())
        .status()
        .context("cargo does not start")?;
    if !status.success() {
        bail!("xenstream-save-helper does not build for dom0");
    }
    let built = directory.join(target).join("debug/xenstream-save-helper");
    fs::copy(&built, to).with_context(|| built.display().to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_that_of_the_guest() {
        let list = "Name                ID   Mem VCPUs\tState\tTime(s)\n\
                    Domain-0             0  1200     1     r-----      21.6\n\
                    hvm                  4     7     1     -b----       0.3\n";
        assert_eq!(state(list), "-b---- 0.3 s");
        assert_eq!(state(""), "");
    }
}
