//! The core in a program without std, allocator or C library: verifies the stream below, whole and byte by byte, and
//! exits with status 0 if it is valid, and refused once a byte is changed.

#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod machine;

use core::hint::black_box;

use xenstream_core::{Format, Guest, Policy, Rule, Verifier};

/// The smallest HVM stream with memory: a bare libxc stream, version 2.
const STREAM: [u8; 152] = {
    let mut stream = [0; 152];
    put(&mut stream, 0, &[0xFF; 8]);
    put(&mut stream, 8, b"XENF\0\0\0\x02");
    put(&mut stream, 24, &[2, 0, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0, 17, 0, 0, 0]);
    // PAGE_DATA: one entry, XTAB.
    put(&mut stream, 40, &[1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xF0]);
    // HVM_CONTEXT: HEADER and END.
    put(&mut stream, 64, &[9, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 24, 0, 0, 0, 0x86, 0x12, 0x38, 0x54, 1]);
    // HVM_PARAMS: none; then END, which is all zeros.
    put(&mut stream, 112, &[10, 0, 0, 0, 24, 0, 0, 0, 1]);
    stream
};

const fn put(stream: &mut [u8; 152], at: usize, bytes: &[u8]) {
    let mut i = 0;
    while i < bytes.len() {
        stream[at + i] = bytes[i];
        i += 1;
    }
}

/// What the program exits with.
pub(crate) extern "C" fn main() -> u32 {
    let mut stream = black_box(STREAM);
    let whole = stream.len();
    let valid = [whole, 1].map(|piece| verdict(&stream, piece) == Ok(Some(Guest::Hvm)));
    stream[8] = b'x';
    let refused = [whole, 1].map(|piece| verdict(&stream, piece) == Err(Rule::LibxcId));
    u32::from(valid != [true; 2] || refused != [true; 2])
}

fn verdict(stream: &[u8], piece: usize) -> Result<Option<Guest>, Rule> {
    let mut verifier = Verifier::new(black_box(Format::Auto), &Policy::spec());
    for piece in stream.chunks(piece) {
        verifier.push(piece, &mut ()).map_err(|violation| violation.rule)?;
    }
    verifier.finish(&mut ()).map(|summary| summary.guest).map_err(|violation| violation.rule)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
