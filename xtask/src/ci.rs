//! `cargo xtask ci`: every check that CI runs.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::root;

/// One check.
struct Step {
    name: &'static str,
    /// Arguments to cargo.
    arguments: &'static [&'static str],
    /// What is set in its environment.
    environment: &'static [(&'static str, &'static str)],
}

const fn step(name: &'static str, arguments: &'static [&'static str]) -> Step {
    Step { name, arguments, environment: &[] }
}

/// What is run, in this order.
const STEPS: &[Step] = &[
    step("formatting", &["fmt", "--all", "--check"]),
    step("clippy", &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]),
    step("features", &["xtask", "features"]),
    step("package", &["xtask", "package"]),
    Step {
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        ..step("rustdoc", &["doc", "--workspace", "--all-features", "--no-deps"])
    },
    step("corpus", &["xtask", "corpus", "--check"]),
    step("verdicts", &["xtask", "verdicts", "--check"]),
    step("docs", &["xtask", "docs", "--check"]),
    step("prove", &["xtask", "prove"]),
    step("count", &["xtask", "count"]),
    step("peer", &["xtask", "peer", "--xen", "4.14,4.17,4.20", "--count", "2000"]),
    step("fuzz", &["xtask", "fuzz", "--seconds", "10", "--jobs", "2"]),
    step("helper-test", &["xtask", "helper-test"]),
    step("dropin", &["xtask", "dropin"]),
    step("dist", &["xtask", "dist"]),
    step("web", &["xtask", "web", "--test", "--optional"]),
];

pub(crate) fn run() -> Result<()> {
    for Step { name, arguments, environment } in STEPS {
        eprintln!("== {name}: cargo {}", arguments.join(" "));
        let started = Instant::now();
        let status = Command::new(env!("CARGO"))
            .args(*arguments)
            .envs(environment.iter().copied())
            .current_dir(root())
            .status()
            .with_context(|| format!("{name} does not start"))?;
        if !status.success() {
            bail!("{name} failed ({status})");
        }
        eprintln!("== {name}: passed in {:.1} s", started.elapsed().as_secs_f64());
    }
    Ok(())
}
