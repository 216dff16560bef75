//! What means nothing, and what is certain.

use xenstream::rewrite::Convert;
use xenstream::wire::libxc::types::{
    END, HVM_CONTEXT, HVM_PARAMS, OPTIONAL, PAGE_DATA, STATIC_DATA_END, X86_TSC_INFO,
};
use xenstream::{Options, Policy};
use xenstream_synth::valid::{self, Machine};
use xenstream_synth::{Body, Field, Part, Stream, libxc, minimal};

use super::common::{converted, for_target, real};

fn normalise() -> Convert {
    Convert::default().with_normalise(true)
}

fn repair() -> Convert {
    Convert::default().with_repair(true)
}

fn options() -> Options {
    Options::new(Policy::restore())
}

#[test]
fn meaningless_bytes_are_normalised() {
    let good = valid::pvh();
    let swapped = |a: u32, b: u32| {
        let [a, b] = [a, b].map(|kind| good.find(Part::libxc(kind)));
        let (first, second) = (good.items()[a].clone(), good.items()[b].clone());
        good.clone().with_item(a, second).with_item(b, first)
    };
    let cases = [
        ("reserved", good.clone().edited(Part::libxc(X86_TSC_INFO), 28, Field::U32(7))),
        (
            "reserved",
            good.clone().edited(Part::Image, 18, Field::U16(7)).edited(Part::Image, 20, Field::U32(7)),
        ),
        ("reserved", good.clone().edited(Part::Domain, 6, Field::U16(1))),
        ("reserved", good.clone().edited(Part::libxc(PAGE_DATA), 12, Field::U32(7))),
        ("reserved", good.clone().edited(Part::libxc(HVM_PARAMS), 12, Field::U32(7))),
        ("record", good.clone().before(Part::libxc(END), libxc::record(OPTIONAL, Body::new().zeros(11)))),
        ("order", swapped(HVM_CONTEXT, HVM_PARAMS)),
    ];
    for (n, (field, stream)) in cases.into_iter().enumerate() {
        assert!(stream.bytes() != good.bytes());
        let (normal, out) = converted(&stream.bytes(), &options(), &normalise());
        assert_eq!(normal.obstacles, [], "{n}");
        assert!(normal.changes.iter().all(|change| change.field == field), "{n}: {:?}", normal.changes);
        assert!(out == good.bytes(), "{n}: {:?}", normal.changes);
    }
}

/// Converts twice: what comes of it the second time is the same.
fn settled(bytes: &[u8], options: &Options, what: &Convert) -> Vec<u8> {
    let (once, out) = converted(bytes, options, what);
    assert_eq!(once.obstacles, []);
    let (again, twice) = converted(&out, options, what);
    assert_eq!((&again.changes[..], again.obstacles), (&[][..], vec![]), "after {:?}", once.changes);
    assert!(out == twice);
    out
}

#[test]
fn repaired_records_are_normalised_at_once() {
    let params = Part::libxc(HVM_PARAMS);
    let set = |entries: &[(u64, u64)]| valid::pvh().replaced(params, libxc::hvm_params(entries));
    // The target refuses the parameters 13 and 20, whatever they are.
    let refused = [(13, 0), (20, 0)];
    let options = for_target("4.17");
    for what in [normalise(), normalise().with_plain(true)] {
        let none = settled(&set(&refused).bytes(), &options, &what);
        assert!(none == valid::pvh().without(params).bytes());
        // A reserved word in a record that is cured.
        let both = set(&[&[(1, 16)], &refused[..]].concat()).edited(params, 12, Field::U32(7));
        assert!(settled(&both.bytes(), &options, &what) == set(&[(1, 16)]).bytes());
    }
}

#[test]
fn an_emptied_policy_does_not_disturb_the_order() {
    let policy = libxc::msr_policy(&[(0x10A, 0)]);
    let end = Part::libxc(STATIC_DATA_END);
    let leaves = libxc::cpuid_policy(&[[0, u32::MAX, 0, 0, 0, 0]]);
    let stream = minimal::hvm().before(end, policy).before(end, leaves.clone());
    let out = settled(&stream.bytes(), &for_target("4.14.0"), &normalise());
    let without = minimal::hvm().before(end, leaves).bytes();
    assert!(out == settled(&without, &for_target("4.14.0"), &normalise()));
}

#[test]
fn padding_becomes_zero() {
    let good = Machine::Hvm.libxl();
    let record = good.records().into_iter().find(|record| record.padding() > 0).unwrap();
    let mut bytes = good.bytes();
    bytes[record.end() as usize - 1] = 7;
    for what in [normalise(), repair()] {
        let (normal, out) = converted(&bytes, &options(), &what);
        assert_eq!(normal.changes.len(), 1);
        assert!(out == good.bytes());
    }
}

#[test]
fn real_images_are_normal() {
    for name in ["hvm-bios.xl.xz", "pvh64-1v.xl.xz", "pv64-2v.xl.xz", "hvm-bios8-4.20.xl.xz"] {
        let bytes = real(name);
        for what in [normalise(), repair()] {
            let (same, out) = converted(&bytes, &options(), &what);
            assert_eq!(same.changes, [], "{name}");
            assert!(out == bytes);
        }
    }
}

/// The stream without its last bytes.
fn cut(stream: &Stream, bytes: usize) -> Vec<u8> {
    let mut whole = stream.bytes();
    whole.truncate(whole.len() - bytes);
    whole
}

#[test]
fn missing_ends_are_appended() {
    for (machine, most) in [(Machine::Hvm, 8), (Machine::Pvh, 16), (Machine::Pv64, 8)] {
        let good = machine.libxl().in_xl();
        for bytes in 1..=most {
            let (repaired, out) = converted(&cut(&good, bytes), &options(), &repair());
            assert_eq!(repaired.obstacles, [], "{machine:?}, {bytes}");
            assert!(!repaired.report.is_valid());
            assert!(out == good.bytes(), "{machine:?}, {bytes}");
        }
    }
    let bare = valid::hvm();
    assert!(converted(&cut(&bare, 8), &options(), &repair()).1 == bare.bytes());
}

#[test]
fn what_is_not_certain_is_not_repaired() {
    let hvm = Machine::Hvm.libxl();
    let pv = valid::pv64();
    let context = valid::pvh().until(Part::libxc(HVM_PARAMS));
    let pages = valid::pvh().until(Part::libxc(X86_TSC_INFO));
    for (bytes, reason) in [
        (cut(&hvm, 17), "it ends inside or after EMULATOR_CONTEXT"),
        (cut(&pv, 8), "END of a PV guest's stream is missing"),
        (context.bytes(), "HVM_PARAMS has not come"),
        (pages.bytes(), "it ends inside or after PAGE_DATA"),
        (hvm.until(Part::libxl(2)).bytes(), "the device model's state is missing"),
    ] {
        let (refused, _) = converted(&bytes, &options(), &repair());
        assert!(refused.obstacles[0].reason.starts_with(reason), "{:?}", refused.obstacles);
    }
    // Without being asked to, nothing is repaired.
    let (refused, _) = converted(&cut(&Machine::Pvh.libxl(), 8), &options(), &Convert::default());
    assert!(refused.bytes.is_none() && refused.obstacles.len() == 1);
}

#[test]
fn bytes_after_the_end_are_cut() {
    let good = Machine::Pvh.libxl().in_xl().bytes();
    let (cut, out) = converted(&[&good[..], b"something else"].concat(), &options(), &repair());
    assert_eq!(cut.changes.len(), 1);
    assert!(out == good);
}

#[test]
fn a_length_that_its_record_proves_is_corrected() {
    let good = valid::pvh();
    for (kind, length) in [(PAGE_DATA, 8), (X86_TSC_INFO, 32), (STATIC_DATA_END, 8)] {
        let wrong = good.clone().edited(Part::libxc(kind), 4, Field::U32(length)).bytes();
        let (repaired, out) = converted(&wrong, &Options::new(Policy::spec()), &repair());
        if repaired.obstacles.is_empty() {
            assert_eq!(repaired.changes[0].field, "body_length");
            assert!(out == good.bytes(), "{kind:#x}");
        } else {
            // What follows was taken for a record, so the stream ended before it could be told.
            assert!(out.is_empty());
        }
    }
    let wrong = good.edited(Part::libxc(X86_TSC_INFO), 4, Field::U32(32)).bytes();
    let (repaired, out) = converted(&wrong, &options(), &repair());
    assert_eq!(repaired.obstacles, []);
    assert_eq!(repaired.changes[0].after, "24");
    assert!(out == valid::pvh().bytes());
}

#[test]
fn a_compressed_output_has_the_same_in_it() {
    let bytes = Machine::Hvm.libxl().in_xl().bytes();
    let mut out = Vec::new();
    let what = Convert::default().with_zstd(true);
    let output = xenstream::rewrite::Output::Writer(&mut out);
    let done =
        xenstream::rewrite::convert(xenstream::Input::Slice(&bytes), output, &options(), &what).unwrap();
    assert_eq!(done.bytes, Some(out.len() as u64));
    assert!(out.len() < bytes.len());
    assert!(zstd_decoded(&out) == bytes);
    // A compressed input comes out decompressed.
    assert!(converted(&out, &options(), &Convert::default()).1 == bytes);
}

fn zstd_decoded(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::decode_all(bytes).unwrap()
}
