//! Streams of live migrations, of which the last copy of each page stays.

use std::collections::BTreeMap;

use xenstream::rewrite::Convert;
use xenstream::wire::libxc::page;
use xenstream::wire::libxc::types::{VERIFY, X86_TSC_INFO};
use xenstream::{Layer, Options, Policy};
use xenstream_synth::valid::Machine;
use xenstream_synth::{Page, Part, libxc};

use super::common::{converted, is_pages, real, records};

fn compact() -> Convert {
    Convert::default().with_compact(true)
}

/// The last copy of each page: type and contents; and the entries in all.
fn memory(records: &[(Layer, u64, Vec<u8>)]) -> (BTreeMap<u64, (u64, Vec<u8>)>, usize) {
    let (mut memory, mut entries) = (BTreeMap::new(), 0);
    let verify =
        records.iter().position(|(layer, kind, _)| *layer == Layer::Libxc && *kind == u64::from(VERIFY));
    for (_, _, body) in records[..verify.unwrap_or(records.len())].iter().filter(|record| is_pages(record)) {
        let count = u32::from_le_bytes(*body.first_chunk().unwrap()) as usize;
        let (words, mut contents) = body[8..].split_at(8 * count);
        for word in words.as_chunks::<8>().0 {
            let word = u64::from_le_bytes(*word);
            let kind = page::kind(word);
            let n = if page::has_data(kind) { 4096 } else { 0 };
            memory.insert(word & page::PFN, (kind, contents[..n].to_vec()));
            contents = &contents[n..];
            entries += 1;
        }
    }
    (memory, entries)
}

#[test]
fn live_streams_keep_the_last_copy_of_each_page() {
    for name in ["pv64-1v-migrate.xl.xz", "pvh64-1v-migrate-debug.xl.xz"] {
        let bytes = real(name);
        let (converted, out) = converted(&bytes, &Options::new(Policy::restore()), &compact());
        assert_eq!(converted.obstacles, [], "{name}");
        let ((_, was), (report, is)) = (records(&bytes), records(&out));
        assert_eq!(report.violation(), None);
        let (before, after) = (memory(&was), memory(&is));
        assert!(before.0 == after.0, "{name}: other pages");
        assert_eq!(after.1, after.0.len(), "{name}: a page comes twice");
        assert!(out.len() < bytes.len());
        let others = |records: &[(Layer, u64, Vec<u8>)]| {
            let is_other =
                |record: &&(Layer, u64, Vec<u8>)| !is_pages(record) && record.1 != u64::from(VERIFY);
            records.iter().filter(is_other).cloned().collect::<Vec<_>>()
        };
        assert!(others(&was) == others(&is), "{name}: another record has changed");
        // Compact streams stay as they are.
        let (same, again) = super::common::converted(&out, &Options::new(Policy::restore()), &compact());
        assert_eq!(same.changes, []);
        assert!(again == out);
    }
}

#[test]
fn the_last_type_of_a_page_wins() {
    let first = libxc::page_data(&[Page::normal(0).holding(b"old"), Page::normal(3).holding(b"gone")]);
    let second = libxc::page_data(&[Page::absent(3), Page::normal(0).holding(b"new")]);
    let stream = Machine::Pvh.libxc();
    let bytes =
        stream.before(Part::libxc(X86_TSC_INFO), first).before(Part::libxc(X86_TSC_INFO), second).bytes();
    let (converted, out) = converted(&bytes, &Options::new(Policy::restore()), &compact());
    assert_eq!(converted.obstacles, []);
    let (pages, entries) = memory(&records(&out).1);
    assert_eq!(entries, pages.len());
    assert!(pages[&0].1.starts_with(b"new\0"));
    assert_eq!(pages[&3], (page::XTAB, Vec::new()));
}

#[test]
fn memory_beyond_the_index_is_refused() {
    let far = libxc::page_data(&[Page::absent(1 << 28)]);
    let bytes = Machine::Pvh.libxc().before(Part::libxc(X86_TSC_INFO), far).bytes();
    let policy =
        Policy::restore().with_level(xenstream::Rule::LibxcMemoryGap, xenstream::Level::Allow).unwrap();
    let (refused, _) = converted(&bytes, &Options::new(policy), &compact());
    assert!(refused.obstacles[0].reason.contains("beyond 1 TiB"), "{:?}", refused.obstacles);
}
