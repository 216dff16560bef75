//! LiME's format.

use xenstream::Input;
use xenstream::extract::{Extract, OutputFormat};

use super::common::{Memory, PAGE, extracted, image, memory, start};

fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    std::array::from_fn(|n| u64::from_le_bytes(bytes[8 * n..8 * n + 8].try_into().unwrap()))
}

#[test]
fn lime_has_a_header_for_each_run() {
    let (_, out) = extracted(Input::Slice(&image().bytes()), &Extract::new(OutputFormat::Lime)).unwrap();
    let mut rest = &out.unwrap()[..];
    let mut found = Memory::new();
    let mut runs = Vec::new();
    while !rest.is_empty() {
        let [magic, first, last, reserved] = words(rest);
        assert_eq!((&rest[..4], magic >> 32, reserved), (&b"EMiL"[..], 1, 0));
        runs.push((first, last));
        rest = &rest[32..];
        for pfn in first / PAGE as u64..(last + 1) / PAGE as u64 {
            found.insert(pfn, start(&rest[..PAGE]));
            rest = &rest[PAGE..];
        }
    }
    assert_eq!(runs, [(0, 0xFFF), (0x15000, 0x16FFF), (0x18000, 0x19FFF)]);
    assert_eq!(found, memory());
}
