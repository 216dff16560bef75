//! Conversions: whatever comes in, and whatever is asked for, what comes out verifies, or nothing does.

use xenstream::rewrite::{Container, Convert, Converted, Loss, Output, convert as convert_input};
use xenstream::{Checkpointing, Compression, Error, Format, Input, Options, Target, verify_slice};

use crate::setup::Setup;

/// Converts the bytes, of which the last ones choose how, and asserts what holds of every conversion.
///
/// # Panics
/// If it does not hold.
pub fn convert(data: &[u8]) {
    let (setup, rest) = Setup::split(data);
    let Some((stream, [wish, container, target])) = rest.split_last_chunk::<3>() else { return };
    let what = wished(*wish, *container);
    // One more than there are releases means none.
    let target = Target::all().nth(usize::from(*target) % (Target::COUNT + 1));
    let options = Options::new(setup.policy().clone().with_target(target)).with_format(setup.format);
    let (converted, out) = match converted(stream, &options, &what) {
        (Ok(converted), out) => (converted, out),
        // What is compressed may be damaged, and is kept in a file first.
        (Err(Error::Decompress { .. }), out) if out.is_empty() => return,
        (Err(error), _) => panic!("{error:?} of bytes in memory"),
    };
    assert_eq!(converted.bytes.is_some(), converted.obstacles.is_empty(), "{:?}", converted.obstacles);
    assert_eq!(converted.bytes.is_some(), !out.is_empty());
    if converted.bytes.is_none() {
        return;
    }
    assert_eq!(converted.bytes, Some(out.len() as u64));
    let judging = judging(&options, &what);
    let after = verify_slice(&out, &judging).expect("an output is not compressed");
    assert_eq!(after.violation(), None, "{what:?} of a stream that is {:?}", converted.report.verdict);
    assert!(converted.changes.iter().filter_map(|change| change.loss).all(|loss| what.lossy.contains(&loss)));
    unchanged(stream, &out, &converted, &what);
    same_again(&out, &judging, &what);
}

/// What the bytes ask for.
fn wished(wish: u8, container: u8) -> Convert {
    let container = Container::all().nth(usize::from(container));
    let config: Option<&[u8]> = match container {
        Some(Container::Xl) => Some(b"{}"),
        Some(Container::Libvirt) => Some(b"<domain type='xen'/>"),
        Some(Container::Xenopsd) => Some(b"((time 1.5)(word_size 64))"),
        _ => None,
    };
    let lossy: Vec<Loss> = Loss::all().filter(|_| wish & 1 != 0).collect();
    Convert::default()
        .with_lossy(&lossy)
        .with_plain(wish & 2 != 0)
        .with_compact(wish & 4 != 0)
        .with_normalise(wish & 8 != 0)
        .with_repair(wish & 16 != 0)
        .with_checkpoint((wish & 32 != 0).then_some(u64::from(wish >> 6)))
        .with_container(container)
        .with_config(config.map(<[u8]>::to_vec))
}

fn converted(stream: &[u8], options: &Options, what: &Convert) -> (Result<Converted, Error>, Vec<u8>) {
    let mut out = Vec::new();
    let converted = convert_input(Input::Slice(stream), Output::Writer(&mut out), options, what);
    (converted, out)
}

/// How an output is to be judged.
fn judging(options: &Options, what: &Convert) -> Options {
    let format = match what.container {
        Some(Container::Xl) => Format::Xl,
        Some(Container::Libvirt) => Format::Libvirt,
        Some(Container::Libxl) => Format::Libxl,
        Some(Container::Libxc) => Format::Libxc,
        Some(Container::Xenopsd) => Format::Xenopsd,
        _ => options.format,
    };
    let mut policy = options.policy.clone();
    if what.plain || what.checkpoint.is_some() {
        policy = policy.with_checkpointing(Checkpointing::Auto);
    }
    Options::new(policy).with_format(format).with_decompression(false)
}

/// Where nothing was changed, the output is the input.
fn unchanged(stream: &[u8], out: &[u8], converted: &Converted, what: &Convert) {
    let is_plain = Compression::recognise(stream).is_none() && converted.changes.is_empty();
    // A compact stream has records of another size.
    if is_plain && !what.compact && !what.normalise {
        assert!(out == stream, "{} bytes of {} without a change", out.len(), stream.len());
    }
}

/// What came out stays as it is.
fn same_again(out: &[u8], options: &Options, what: &Convert) {
    // Its checkpoints are gone.
    let what = what.clone().with_checkpoint(None);
    let (again, twice) = converted(out, options, &what);
    let again = again.expect("an output is not compressed");
    assert_eq!(again.obstacles, [], "converted twice");
    assert!(twice == out, "another output when it is converted twice: {:?}", again.changes);
}
