//! Conditions that were met in the field, in streams that lack nothing else: what each profile makes of them.

use xenstream::wire::libxc::types::{END, X86_PV_VCPU_BASIC};
use xenstream::wire::xenopsd::types::{DEMU, QEMU_TRAD};
use xenstream::{Input, Options, Policy, Profile, Report, Rule, Verdict, verify, verify_reader};
use xenstream_synth::container::xenopsd_record;
use xenstream_synth::{Basic, Body, Part, Stream, libxc, valid};

/// The reports on the stream as a file and as a pipe.
fn reports(stream: &Stream, profile: Profile) -> [Report; 2] {
    let bytes = stream.bytes();
    let options = Options::new(Policy::new(profile)).with_format(stream.format());
    [verify(Input::Positioned(&bytes), &options, &mut ()), verify_reader(&bytes[..], &options)]
        .map(Result::unwrap)
}

/// Its contents are the business of the vGPU's vendor, and no fault of the image.
#[test]
fn an_image_with_a_vgpu_is_unjudged() {
    let state = xenopsd_record(DEMU, Body::new().raw(*b"state of a vGPU"));
    let guest = valid::hvm().in_xenopsd().with_blobs();
    let demu = guest.clone().before(Part::xenopsd(QEMU_TRAD), state);
    let offset = demu.offset(demu.find(Part::xenopsd(DEMU)));
    for profile in Profile::all() {
        for report in reports(&guest, profile) {
            assert!(report.is_valid(), "{report:?}");
        }
        for report in reports(&demu, profile) {
            let Verdict::Unjudged(violation) = report.verdict else { panic!("{report:?}") };
            assert_eq!((violation.rule, violation.offset), (Rule::XenopsdOpaque, offset));
        }
    }
}

/// The restorer keeps the last record of a vcpu and never looks at those before it.
#[test]
fn registers_that_are_replaced_do_not_count() {
    let basic = Part::libxc(X86_PV_VCPU_BASIC);
    let out_of_range = libxc::vcpu_basic(0, &Basic::pv64().cr3(1 << 30));
    let stream = valid::pv64().before(basic, out_of_range.clone());
    for report in reports(&stream, Profile::Restore) {
        assert!(report.is_valid(), "{report:?}");
    }
    for report in reports(&valid::pv64().after(basic, out_of_range), Profile::Restore) {
        assert_eq!(report.violation().map(|found| found.rule), Some(Rule::PvCr3Range));
    }
}

/// The restorer drops a record without contents before it looks at its vcpu.
#[test]
fn an_empty_record_of_no_vcpu_is_passed_over() {
    let end = Part::libxc(END);
    let stream = valid::pv64().before(end, libxc::vcpu_msrs(8192, &[]));
    for report in reports(&stream, Profile::Restore) {
        assert!(report.is_valid(), "{report:?}");
    }
    for report in reports(&valid::pv64().before(end, libxc::vcpu_msrs(8192, &[(0x48, 0)])), Profile::Restore)
    {
        assert_eq!(report.violation().map(|found| found.rule), Some(Rule::LibxcVcpuId));
    }
}
