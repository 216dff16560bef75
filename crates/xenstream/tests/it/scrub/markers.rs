//! What was planted goes when it should, and stays when it should.

use xenstream::scrub::{Blanked, remains};
use xenstream::wire::{libxc, libxl};
use xenstream::{Input, Layer, Observer, Record, verify};

use super::common::{DAMAGED, WISHES, options, scrubbed};
use super::planted::{MEMORY, NAMES, REGISTERS, even, occurs, streams};

#[test]
fn blanked_bytes_are_gone() {
    for stream in streams() {
        let bytes = stream.bytes();
        let named = occurs(&bytes, NAMES);
        assert!(occurs(&bytes, MEMORY) && occurs(&bytes, REGISTERS));
        for what in WISHES.into_iter().chain([DAMAGED]) {
            let (scrubbed, out) = scrubbed(&bytes, &options(xenstream::Profile::Spec), what);
            assert_eq!(scrubbed.report.violation(), None);
            assert_eq!(out.len(), bytes.len());
            assert!(!occurs(&out, MEMORY) && !occurs(&out, even(MEMORY)), "{what:?}");
            assert_eq!(occurs(&out, REGISTERS), !(what.registers || what.damaged), "{what:?}");
            assert_eq!(occurs(&out, NAMES), named && !(what.names || what.damaged), "{what:?}");
        }
    }
}

/// Readers of HVM_CONTEXT stop at the type of END: the rest of its header may be anything.
#[test]
fn end_of_hvm_context_shows_nothing() {
    let mut bytes = xenstream_synth::valid::hvm().bytes();
    let mut last = Last(0);
    verify(Input::Slice(&bytes), &options(xenstream::Profile::Restore), &mut last).unwrap();
    let header = last.0 as usize;
    bytes[header + 2..header + 8].copy_from_slice(b"SECRET");
    for what in WISHES.into_iter().chain([DAMAGED]) {
        let (scrubbed, out) = scrubbed(&bytes, &options(xenstream::Profile::Restore), what);
        assert_eq!(scrubbed.report.violation(), None, "{what:?}");
        assert_eq!(out[header..header + 8], [0, 0, 0, 0, 1, 0, 0, 0], "{what:?}");
    }
}

/// Offset of the last entry of HVM_CONTEXT.
struct Last(u64);

impl Observer for Last {
    fn on_record(&mut self, record: &Record) {
        if record.layer == Layer::Hvm {
            self.0 = record.offset;
        }
    }
}

#[test]
fn remaining_data_is_listed() {
    for stream in streams() {
        let (scrubbed, _) = scrubbed(&stream.bytes(), &options(xenstream::Profile::Spec), WISHES[0]);
        let summary = scrubbed.report.summary;
        let reported = |what, blanked| remains(what, &summary).filter(|part| part.blanked == blanked).count();
        let [memory, registers, names, both] = WISHES;
        assert_eq!(reported(memory, Blanked::Always), 0);
        assert!(reported(memory, Blanked::Registers) > 0);
        assert_eq!(reported(registers, Blanked::Registers), 0);
        let pairs = summary.records.get(Layer::Libxl, libxl::types::EMULATOR_XENSTORE_DATA);
        let configured = matches!(stream.format().name(), "xl" | "libvirt" | "xenopsd");
        assert_eq!(reported(memory, Blanked::Names), usize::from(pairs > 0) + usize::from(configured));
        assert_eq!(reported(names, Blanked::Names), 0);
        for what in [both, DAMAGED] {
            assert!(remains(what, &summary).all(|part| part.blanked == Blanked::Never));
        }
        let parameters = remains(both, &summary).any(|part| part.place == "HVM_PARAMS");
        assert_eq!(parameters, summary.records.get(Layer::Libxc, libxc::types::HVM_PARAMS) > 0);
    }
}

/// What is structure, byte by byte: the records that stay as they are whatever is blanked.
#[test]
fn structure_is_kept() {
    use libxc::types::{
        HVM_PARAMS, X86_CPUID_POLICY, X86_MSR_POLICY, X86_PV_INFO, X86_PV_P2M_FRAMES, X86_TSC_INFO,
    };
    const KEPT: [u32; 6] =
        [X86_CPUID_POLICY, X86_MSR_POLICY, X86_PV_INFO, X86_PV_P2M_FRAMES, X86_TSC_INFO, HVM_PARAMS];
    for stream in streams() {
        let bytes = stream.bytes();
        let [.., both] = WISHES;
        let (_, out) = scrubbed(&bytes, &options(xenstream::Profile::Spec), both);
        let mut kept = 0;
        for record in stream.records() {
            let start = record.offset as usize;
            assert_eq!(out[start..start + 8], bytes[start..start + 8], "{record:?}");
            if record.layer == Layer::Libxc && KEPT.map(u64::from).contains(&record.kind) {
                let end = (record.body_offset + record.body_length) as usize;
                assert!(out[start..end] == bytes[start..end], "{record:?}");
                assert!(bytes[start + 8..end].iter().any(|byte| *byte != 0), "{record:?}");
                kept += 1;
            }
        }
        assert!(kept >= 4, "{kept}");
    }
}

/// Bytes 4 to 7 of CPU_MSR, which savers leave uninitialised.
#[test]
fn bytes_that_no_field_keeps_are_zeroed() {
    use xenstream::wire::hvm::types::CPU;
    use xenstream_synth::hvm::{Chain, Entry};
    let msrs = (4..8).fold(Entry::msrs(0, &[(0x10, 5)]), |entry, at| entry.with_byte(at, 0xA5));
    let chain = Chain::around([Entry::reset(CPU, 0), msrs]);
    let kind = libxc::types::HVM_CONTEXT;
    let stream = xenstream_synth::valid::hvm()
        .replaced(xenstream_synth::Part::libxc(kind), xenstream_synth::libxc::hvm_context(&chain));
    let [memory, ..] = WISHES;
    let bytes = stream.bytes();
    let (_, out) = scrubbed(&bytes, &options(xenstream::Profile::Spec), memory);
    let changed: Vec<_> = bytes.iter().zip(&out).filter(|(a, b)| a != b).collect();
    // Registers were not to go.
    assert_eq!(changed, vec![(&0xA5, &0); 4]);
}
