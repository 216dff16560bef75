//! A program that does no more than it must: `limit START FILE` walks the headers of a file's records.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [start, file] = &arguments[..] else { return Err("usage: limit START FILE".into()) };
    let start = start.to_str().ok_or("START is a number")?.parse()?;
    let records = xenstream_benches::limits::walk_path(Path::new(file), start)?;
    println!("{records}");
    Ok(())
}
