//! The header is what cbindgen makes of the sources. `XENSTREAM_BLESS=1 cargo test -p xenstream-capi --test header`
//! makes it anew.

use std::path::Path;
use std::{env, fs};

#[test]
fn header_is_what_the_sources_say() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_config(config).with_crate(crate_dir).generate().unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    let made = String::from_utf8(made).unwrap();

    let path = crate_dir.join("include/xenstream.h");
    if env::var_os("XENSTREAM_BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let present = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        present == made,
        "include/xenstream.h is stale: the first lines of tests/header.rs say how to make it"
    );
}
