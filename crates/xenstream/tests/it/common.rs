//! What several tests need.

use std::path::{Path, PathBuf};

use xenstream::host::{Host, Sources, collect};
use xenstream::{Options, Policy};
use xenstream_synth::cases::Case;

/// The options by which a case is judged: with its format, and for its host if it has one.
pub(crate) fn options(case: &Case, policy: Policy) -> Options {
    let options = Options::new(policy).with_format(case.format);
    match case.host {
        "" => options,
        host => options.with_host(Host::from_json(host.as_bytes()).unwrap()),
    }
}

/// A path of the corpus.
pub(crate) fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus").join(name)
}

/// The host that ran this branch of Xen, as its tools described it.
pub(crate) fn recorded_host(branch: &str) -> Host {
    collect(&Sources::recorded_in(corpus("hosts").join(branch))).unwrap()
}
