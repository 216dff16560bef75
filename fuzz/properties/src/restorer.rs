//! Xen's own restore code beside ours: what `hardened` accepts does it no harm, and what `restore` says of a stream is
//! what the restorer does with it, but for the differences that have a reason.
//!
//! It needs what `cargo xtask peer` downloads; without that the property says so once and holds.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use arbitrary::{Arbitrary, Unstructured};
use xenstream_core::{Checkpointing, Format, Level, Limit, Policy, Profile, Rule, Violation};
use xenstream_peer::{
    Answer, Comparison, Differences, Disagreement, Domain, Error, Harness, Packages, Release, Restorer,
    Verdict, judge,
};
use xenstream_synth::broken::Broken;
use xenstream_synth::plan::{Container, Plan};

/// What the restorer may ask for in one piece for a stream that `hardened` accepts: twice the longest record.
const BALLOON: u64 = 256 << 20;

/// Pfns from here on are not put to the restorer: it grows bitmaps to them, up to gigabytes.
const PFNS: u64 = 1 << 24;

/// Makes a bare libxc stream of the bytes, or takes them for one, and compares what becomes of it.
///
/// # Panics
/// If the restorer suffers from what `hardened` accepts, or does not agree with `restore` without a reason.
pub fn restorer(data: &[u8]) {
    if let Some((bytes, checkpointing)) = stream(data) {
        RESTORER.with_borrow_mut(|peer| {
            if let Peer::Ready(tools) = peer {
                tools.compare(&bytes, checkpointing).expect("the restore harness answers");
            }
        });
    }
}

/// Returns whether Xen's restore code is available.
#[must_use]
pub fn has_restorer() -> bool {
    RESTORER.with_borrow(|peer| matches!(peer, Peer::Ready(_)))
}

/// A valid stream, a broken one, or the bytes as they are; and what a caller says of it.
fn stream(data: &[u8]) -> Option<(Vec<u8>, Checkpointing)> {
    let (how, rest) = data.split_last()?;
    match how % 4 {
        0 => {
            let checkpointing = if how & 0x80 != 0 { Checkpointing::Remus } else { Checkpointing::Auto };
            Some((rest.to_vec(), checkpointing))
        }
        1 => {
            let built = plan(&mut Unstructured::new(rest)).ok()?.build();
            Some((built.bytes(), built.expected.checkpointing))
        }
        _ => {
            let mut u = Unstructured::new(rest);
            let (which, choices) = (u16::arbitrary(&mut u).ok()?, u64::arbitrary(&mut u).ok()?);
            let rule = Rule::all().nth(usize::from(which) % Rule::COUNT)?;
            let broken = Broken::of(&plan(&mut u).ok()?, rule, choices)?;
            Some((broken.bytes(), broken.checkpointing))
        }
    }
}

/// A plan of a bare libxc stream of a guest that is not too large to be built for every input.
fn plan(u: &mut Unstructured<'_>) -> arbitrary::Result<Plan> {
    let mut plan = Plan::arbitrary(u)?;
    plan.around.container = Container::Libxc;
    plan.space.bits %= 8;
    Ok(plan)
}

enum Peer {
    Missing,
    Ready(Box<Tools>),
}

thread_local! {
    static RESTORER: RefCell<Peer> = RefCell::new(match Tools::start() {
        Ok(Some(tools)) => Peer::Ready(Box::new(tools)),
        Ok(None) => {
            eprintln!("restorer: skipped, `cargo xtask peer` has not downloaded Xen's restore code");
            Peer::Missing
        }
        Err(error) => panic!("restorer: {error}"),
    });
}

/// The restorer, ready for any number of streams.
struct Tools {
    /// Streams are handed over in it. It has no name, but a path by which the restorer opens it.
    file: File,
    path: PathBuf,
    /// Plain and Remus.
    lenient: [Restorer; 2],
    strict: Restorer,
    differences: Differences,
}

/// The release whose restorer it is.
const RELEASE: Release = Release::V4_17;

/// What is compared.
const COMPARISON: Comparison = Comparison::TargetRestorer(RELEASE);

impl Tools {
    /// Starts it, if what it is made of is there.
    fn start() -> Result<Option<Tools>, Error> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let Some(peer) = [target, root.join("target")]
            .map(|target| target.join("peer"))
            .into_iter()
            .find(|peer| is_unpacked(peer))
        else {
            return Ok(None);
        };
        // Nothing is left behind: libFuzzer ends a process without unwinding.
        let failed = |source| Error::File { path: std::env::temp_dir(), source };
        let scratch = tempfile::tempdir().map_err(failed)?;
        let file = tempfile::tempfile().map_err(failed)?;
        let harness = Harness::build(&Packages::fetch(&peer, RELEASE)?, scratch.path())?;
        let start = |kind, strict| harness.start(kind, Domain::AsTheStreamSays, strict);
        Ok(Some(Tools {
            path: format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into(),
            file,
            lenient: [start(Checkpointing::Plain, false)?, start(Checkpointing::Remus, false)?],
            strict: start(Checkpointing::Plain, true)?,
            differences: Differences::load(&root.join("xtask/peer/differences.toml"))?,
        }))
    }

    fn compare(&mut self, bytes: &[u8], checkpointing: Checkpointing) -> Result<(), Error> {
        let remus = checkpointing != Checkpointing::Auto;
        let checkpointing = if remus { Checkpointing::Remus } else { Checkpointing::Plain };
        let lowered = |policy| {
            let policy = self.differences.lowered(policy);
            policy.with_checkpointing(checkpointing).with_limit(Limit::HvmPfn, PFNS)
        };
        let (restore, hardened) = (lowered(COMPARISON.policy()), lowered(Policy::new(Profile::Hardened)));
        let ours = judge(bytes, Format::Libxc, &restore);
        let balloons = [Rule::LibxcPageDataPfnRange, Rule::LibxcPageDataPfnLimit, Rule::LibxcP2mFramesRange];
        if ours.is_some_and(|violation| balloons.contains(&violation.rule)) {
            return Ok(());
        }
        self.put(bytes).map_err(|source| Error::File { path: self.path.clone(), source })?;
        let mut answer = self.lenient[usize::from(remus)].ask(&self.path)?;
        let is_harm = answer.verdict.is_harm() || answer.largest_allocation > BALLOON;
        assert!(
            !is_harm || judge(bytes, Format::Libxc, &hardened).is_some(),
            "hardened accepts what the restorer suffers from: {answer:?}"
        );
        // What comes after the last checkpoint the restorer throws away unread, and so has no opinion of.
        if remus {
            return Ok(());
        }
        if answer.verdict == Verdict::Accept {
            answer = self.strict.ask(&self.path)?;
        }
        if answer.verdict == Verdict::Accept && ours.is_some() && is_without_memory(bytes) {
            return Ok(());
        }
        self.agree(ours, &answer);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(bytes)?;
        self.file.set_len(bytes.len() as u64)
    }

    fn agree(&mut self, ours: Option<Violation>, answer: &Answer) {
        let Some(disagreement) = Disagreement::between(COMPARISON, ours, answer) else {
            return;
        };
        let is_known = self.differences.explain("fuzz", &disagreement).is_some();
        assert!(is_known, "a difference without a reason: {disagreement}");
    }
}

/// Returns whether the stream brings an HVM guest no memory: the restorer builds a domain of it that never runs, and may
/// not even have applied what comes before memory.
fn is_without_memory(bytes: &[u8]) -> bool {
    let allowed =
        |policy: Policy, rule| policy.with_level(rule, Level::Allow).expect("not a structural rule");
    let lenient = Rule::all()
        .filter(|rule| !rule.is_structural() && *rule != Rule::LibxcPageDataMissing)
        .fold(Policy::new(Profile::Restore), allowed);
    judge(bytes, Format::Libxc, &lenient)
        .is_some_and(|violation| violation.rule == Rule::LibxcPageDataMissing)
}

/// Returns whether everything has been downloaded.
fn is_unpacked(peer: &Path) -> bool {
    peer.join(RELEASE.to_string()).join("unpacked").exists()
}
