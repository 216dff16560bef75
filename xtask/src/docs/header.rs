//! The C header, from the sources of the C library.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use cbindgen::{Builder, Config};

use crate::root;

const CRATE: &str = "crates/xenstream-capi";

/// The header, by path in the repository.
pub(super) fn files() -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let path = root().join(CRATE);
    let config = Config::from_file(path.join("cbindgen.toml")).map_err(anyhow::Error::msg)?;
    let bindings = Builder::new().with_config(config).with_crate(path).generate();
    let mut bytes = Vec::new();
    bindings.context("cbindgen makes no header of the sources")?.write(&mut bytes);
    Ok(BTreeMap::from([(format!("{CRATE}/include/xenstream.h").into(), bytes)]))
}
