//! The functions that `page/worker.js` calls.

use std::io;

use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;
use xenstream::{Compression, ReadAt};

use crate::Choices;
use crate::cache::{Cached, Pieces};
use crate::scrubbing::Piece;

#[wasm_bindgen]
extern "C" {
    /// A file, as `worker.js` reads it.
    pub type Source;

    #[wasm_bindgen(method, getter)]
    fn size(this: &Source) -> f64;

    /// Reads some bytes; fewer at the file's end.
    #[wasm_bindgen(method, catch)]
    fn read(this: &Source, offset: f64, length: u32) -> Result<Uint8Array, JsValue>;

    /// Reads some bytes at each of several places; see [`Pieces`].
    #[wasm_bindgen(method, catch, js_name = readPieces)]
    fn read_pieces(
        this: &Source,
        first: f64,
        stride: f64,
        count: f64,
        length: u32,
    ) -> Result<Uint8Array, JsValue>;
}

impl ReadAt for Source {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let read = self.read(offset as f64, length).map_err(failure)?;
        let n = (read.length() as usize).min(bytes.len());
        read.subarray(0, n as u32).copy_to(&mut bytes[..n]);
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size() as u64)
    }
}

impl Pieces for Source {
    fn read_pieces(&self, first: u64, stride: u64, count: u64, length: usize) -> io::Result<Vec<u8>> {
        let length = u32::try_from(length).map_err(io::Error::other)?;
        let read = Source::read_pieces(self, first as f64, stride as f64, count as f64, length);
        Ok(read.map_err(failure)?.to_vec())
    }
}

/// What the browser says is wrong.
fn failure(error: JsValue) -> io::Error {
    let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    io::Error::other(message.unwrap_or_else(|| "the browser cannot read it".to_owned()))
}

fn choices(json: &str) -> Choices {
    serde_json::from_str(json).unwrap_or_default()
}

/// Judges an image; see [`crate::judge`].
#[wasm_bindgen]
pub fn judge(source: Source, name: &str, choices_json: &str, is_gzip: bool) -> String {
    let compression = is_gzip.then_some(Compression::Gzip);
    crate::judge(&Cached::new(source), name, &choices(choices_json), compression)
}

/// Returns the pictures of an image; see [`crate::pictures`].
#[wasm_bindgen]
pub fn pictures(source: Source, name: &str, choices_json: &str) -> Result<String, String> {
    crate::pictures(&Cached::new(source), name, &choices(choices_json))
}

/// Writes a scrubbed copy; see [`crate::scrubbed`]. `take` receives bytes, or a number of zeros.
#[wasm_bindgen]
pub fn scrubbed(source: Source, choices_json: &str, take: &Function) -> Result<Vec<String>, String> {
    let mut take = |piece: Piece<'_>| {
        let piece = match piece {
            Piece::Bytes(bytes) => Uint8Array::from(bytes).into(),
            Piece::Zeros(n) => JsValue::from_f64(n as f64),
        };
        take.call1(&JsValue::NULL, &piece).map(|_| ()).map_err(failure)
    };
    crate::scrubbed(&Cached::new(source), &choices(choices_json), &mut take)
}

/// Returns what a rule or a fact means; see [`crate::explained`].
#[wasm_bindgen]
pub fn explained(subject: &str) -> String {
    crate::explained(subject)
}

/// Returns the releases to choose from; see [`crate::targets`].
#[wasm_bindgen]
pub fn targets() -> String {
    crate::targets()
}
