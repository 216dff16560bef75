//! Checkpointed streams that become ordinary ones.

use xenstream::rewrite::Convert;
use xenstream::wire::libxc::types::HVM_PARAMS;
use xenstream::{Options, Policy};
use xenstream_synth::minimal::Kind;
use xenstream_synth::valid::{self, Machine};
use xenstream_synth::{Part, libxc};

use super::common::{converted, is_pages, real, records};

fn plain() -> Convert {
    Convert::default().with_plain(true)
}

#[test]
fn remus_becomes_plain_at_the_last_checkpoint() {
    for name in ["hvm-bios-remus.xl.xz", "hvm-hlt8-remus-4.20.xl.xz", "pvh64-1v-remus.xl.xz"] {
        let bytes = real(name);
        let (before, was) = records(&bytes);
        let checkpoint = before.summary.restorable_to_checkpoint.unwrap();
        let (converted, out) = converted(&bytes, &Options::new(Policy::restore()), &plain());
        assert_eq!(converted.obstacles, [], "{name}");
        let (after, is) = records(&out);
        let summary = after.summary;
        assert_eq!((summary.checkpoints, summary.restorable_to_checkpoint), (0, None), "{name}");
        // Nothing is warned about but what was before, and nothing of a checkpoint is left.
        assert!(
            after.is_valid()
                && after.warnings.listed().iter().all(|warning| { before.warnings.count(warning.rule) > 0 })
        );
        let pages =
            |records: &[_]| records.iter().filter(|record| is_pages(record)).cloned().collect::<Vec<_>>();
        assert!(checkpoint >= 1 && pages(&was).starts_with(&pages(&is)), "{name}");
        // Every record was in the input.
        let ends = |record: &&(xenstream::Layer, u64, Vec<u8>)| record.1 != 0;
        assert!(is.iter().filter(ends).all(|record| was.contains(record)), "{name}");
    }
}

#[test]
fn stream_ends_at_the_requested_checkpoint() {
    for (machine, kind) in
        [(Machine::Hvm, Kind::Remus), (Machine::Pv64, Kind::Remus), (Machine::Hvm, Kind::Colo)]
    {
        let bytes = valid::checkpointed(machine, kind, 3).bytes();
        let options = Options::new(Policy::restore());
        let mut sizes = Vec::new();
        for checkpoint in 1..=3 {
            let what = Convert::default().with_checkpoint(Some(checkpoint));
            let (converted, out) = converted(&bytes, &options, &what);
            assert_eq!(converted.obstacles, [], "{machine:?}, {kind:?}, {checkpoint}");
            let (report, _) = records(&out);
            assert_eq!((report.summary.checkpoints, report.warnings.listed()), (0, &[][..]));
            sizes.push(out.len());
            if checkpoint == 3 {
                assert!(super::common::converted(&bytes, &options, &plain()).1 == out);
            }
        }
        assert!(sizes.is_sorted());
        for checkpoint in [0, 4] {
            let what = Convert::default().with_checkpoint(Some(checkpoint));
            let (refused, _) = converted(&bytes, &options, &what);
            let reason = format!("it has no checkpoint {checkpoint}; the complete ones are 1 to 3");
            assert_eq!(refused.obstacles[0].reason, reason);
        }
    }
}

#[test]
fn a_record_that_sets_nothing_leaves_the_one_before() {
    let params = Part::libxc(HVM_PARAMS);
    let stream = valid::checkpointed(Machine::Hvm, Kind::Remus, 2);
    let last = stream.items().iter().rposition(|item| item.part() == params).unwrap();
    let void = stream.clone().with_item(last, libxc::hvm_params(&[]));
    let options = Options::new(Policy::restore());
    let (_, whole) = converted(&stream.bytes(), &options, &plain().with_normalise(true));
    let (kept, out) = converted(&void.bytes(), &options, &plain().with_normalise(true));
    assert_eq!(kept.obstacles, []);
    assert!(out == whole, "{:?}", kept.changes);
}

#[test]
fn a_plain_stream_stays_as_it_is() {
    let bytes = Machine::Hvm.libxl().in_xl().bytes();
    let (same, out) = converted(&bytes, &Options::new(Policy::restore()), &plain());
    assert_eq!(same.changes, []);
    assert!(out == bytes);
}
