//! The compiler for WebAssembly: rustup's, or else Debian's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{root, scratch};

const TARGET: &str = "wasm32-unknown-unknown";

/// What Debian calls its compiler. Its packages have the standard library's sources, and no binary of it.
const DEBIAN: [&str; 2] = ["/usr/bin/rustc", "/usr/bin/cargo"];

/// A compiler that there is.
pub(super) enum Compiler {
    /// The one that builds everything else, with the target's standard library.
    Usual,
    /// Debian's, with which the standard library is built from its sources.
    Debian,
}

impl Compiler {
    /// Finds a compiler, or says what is missing.
    pub(super) fn find() -> Result<Compiler> {
        let usual = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        if Path::new(&say(Path::new(&usual), &["--print", "target-libdir", "--target", TARGET])?).is_dir() {
            return Ok(Compiler::Usual);
        }
        if DEBIAN.iter().all(|program| Path::new(program).is_file()) {
            let sysroot = say(Path::new(DEBIAN[0]), &["--print", "sysroot"])?;
            let sources = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
            if sources.is_file() && Path::new("/usr/bin/wasm-ld").exists() {
                return Ok(Compiler::Debian);
            }
        }
        bail!(
            "there is no compiler for {TARGET}: `rustup target add {TARGET}`, or Debian's rustc-web, cargo-web, rust-web-src and lld"
        )
    }

    /// Builds the module, and returns its path.
    pub(super) fn build(&self) -> Result<PathBuf> {
        let target = scratch("wasm");
        let mut cargo = match self {
            Compiler::Usual => Command::new(env!("CARGO")),
            Compiler::Debian => {
                let mut cargo = Command::new(DEBIAN[1]);
                cargo.env("RUSTC", DEBIAN[0]).env("RUSTC_BOOTSTRAP", "1");
                cargo.env("RUSTFLAGS", "-Zunstable-options -Cpanic=immediate-abort");
                cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld");
                cargo
            }
        };
        cargo.args(["rustc", "--package", "xenstream-web", "--lib", "--crate-type", "cdylib"]);
        cargo.args(["--profile", "web", "--target", TARGET]);
        if let Compiler::Debian = self {
            cargo.args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
        }
        // What the other compiler has built is not to be mistaken for this one's.
        cargo.env("CARGO_TARGET_DIR", &target).env_remove("RUSTUP_TOOLCHAIN").current_dir(root());
        let status = cargo.status().context("cargo does not start")?;
        ensure!(status.success(), "the module does not build: {cargo:?}");
        Ok(target.join(TARGET).join("web/xenstream_web.wasm"))
    }
}

fn say(rustc: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(rustc).args(arguments).current_dir(root()).output();
    let output = output.with_context(|| format!("{} does not start", rustc.display()))?;
    ensure!(output.status.success(), "{} {arguments:?} fails ({})", rustc.display(), output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
