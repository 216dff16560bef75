//! Names the shared library for the loader, and makes C strings of the core's names.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use xenstream_core::{Layer, RecordRef, Rule};

#[allow(unreachable_pub, reason = "the library makes it public")]
#[path = "src/abi.rs"]
mod abi;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/abi.rs");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libxenstream.so.{}", abi::XS_ABI);
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where to write"));
    fs::write(out.join("names.rs"), names()).expect("cargo's directory can be written");
}

/// Tables of C strings, as source.
fn names() -> String {
    let rules: Vec<_> = Rule::all().map(Rule::name).collect();
    // Every numbering of record types is far below this.
    let kinds = 0..=u64::from(u16::MAX);
    let types: BTreeSet<_> = Layer::all()
        .flat_map(|layer| {
            kinds.clone().map(move |kind| RecordRef { layer, index: 0, kind: Some(kind), offset: 0 })
        })
        .filter_map(|record| record.type_name())
        .collect();
    let layers = Layer::all().map(Layer::name);
    table("RULES", "Names of the rules, by number.", rules)
        + &table("TYPES", "Names of record types, sorted.", types)
        + &table("LAYERS", "Names of the layers, by number.", layers)
}

fn table(name: &str, what: &str, strings: impl IntoIterator<Item = &'static str>) -> String {
    let mut rows = String::new();
    let mut count = 0;
    for string in strings {
        writeln!(rows, "    c{string:?},").expect("a String takes everything");
        count += 1;
    }
    format!("/// {what}\npub(crate) static {name}: [&CStr; {count}] = [\n{rows}];\n")
}
