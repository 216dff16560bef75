//! Made images beside those that a real Xen wrote for such guests: the same records in the same order.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use xenstream::wire::hvm::types::CPU_XSAVE;
use xenstream::wire::libxc::types;
use xenstream::{Input, Layer, Observer, Options, Policy, Record, verify};
use xenstream_synth::image::Shape;
use xenstream_synth::valid::Machine;

#[derive(Default)]
struct Records(Vec<Record>);

impl Observer for Records {
    fn on_record(&mut self, record: &Record) {
        self.0.push(*record);
    }
}

fn records(bytes: &[u8]) -> Vec<Record> {
    let mut records = Records::default();
    let report = verify(Input::Slice(bytes), &Options::new(Policy::spec()), &mut records).unwrap();
    assert!(report.is_valid(), "{:?}", report.violation());
    records.0
}

/// Records of libxl and libxc, runs of PAGE_DATA as one, with the lengths that do not depend on the size of the guest or
/// the state of its devices.
fn outline(records: &[Record]) -> Vec<(Layer, u64, Option<u64>)> {
    const FIXED: [u32; 9] = [
        types::END,
        types::X86_PV_INFO,
        types::X86_PV_VCPU_BASIC,
        types::X86_PV_VCPU_EXTENDED,
        types::X86_PV_VCPU_XSAVE,
        types::SHARED_INFO,
        types::X86_TSC_INFO,
        types::X86_CPUID_POLICY,
        types::X86_MSR_POLICY,
    ];
    let mut outline: Vec<_> = records
        .iter()
        .filter(|record| record.layer != Layer::Hvm)
        .map(|record| {
            let fixed = record.layer == Layer::Libxc && FIXED.map(u64::from).contains(&record.kind);
            (record.layer, record.kind, fixed.then_some(record.body_length))
        })
        .collect();
    outline.dedup_by_key(|(layer, kind, length)| {
        (*layer == Layer::Libxc && *kind == u64::from(types::PAGE_DATA))
            .then_some(*length)
            .ok_or((*layer, *kind, *length))
    });
    outline
}

/// The entries of HVM_CONTEXT, but for CPU_XSAVE: a guest that never used it has none.
fn entries(records: &[Record]) -> Vec<(u64, u16)> {
    let entries =
        records.iter().filter(|record| record.layer == Layer::Hvm && record.kind != u64::from(CPU_XSAVE));
    entries.map(|record| (record.kind, record.instance)).collect()
}

#[test]
fn made_images_have_the_records_of_real_ones() {
    for (name, machine, vcpus) in [
        ("pv64-1v", Machine::Pv64, 1),
        ("pv64-2v", Machine::Pv64, 2),
        ("hvm-bios-physmap", Machine::Hvm, 1),
        ("hvm64-2v-physmap", Machine::Hvm, 2),
        ("pvh64-1v", Machine::Pvh, 1),
    ] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/real").join(format!("{name}.xl.xz"));
        let mut real = Vec::new();
        liblzma::read::XzDecoder::new(File::open(path).unwrap()).read_to_end(&mut real).unwrap();
        let mut made = Vec::new();
        Shape { vcpus, ..Shape::new(machine, 64 << 20) }.write_to(&mut made).unwrap();
        let [real, made] = [real, made].map(|bytes| records(&bytes));
        assert_eq!(outline(&made), outline(&real), "{name}");
        assert_eq!(entries(&made), entries(&real), "{name}");
    }
}
