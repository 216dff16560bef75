//! What is packed, built by cargo. The same sources make the same bytes, in any directory and for any user, so
//! nothing may be left in them of this machine's paths.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use cargo_metadata::Message;

use crate::{root, scratch};

/// The crates that something is installed from.
pub(super) const CRATES: [&str; 4] =
    ["xenstream-cli", "xenstream-save-helper", "xenstream-xenguest", LIBRARY];

const LIBRARY: &str = "xenstream-capi";

/// What cargo built.
pub(super) struct Build {
    /// The machine that it is for, as the compiler calls it: the one that we are on.
    pub(super) triple: String,
    pub(super) paths: Paths,
    /// The files, by name. Only cargo knows where they lie, and only what it has just named is of these sources.
    files: BTreeMap<String, PathBuf>,
}

impl Build {
    pub(super) fn run() -> Result<Build> {
        let compiler = Compiler::ask()?;
        let paths = Paths::new(&compiler)?;
        let mut build = Build { triple: compiler.host.clone(), paths, files: BTreeMap::new() };
        let programs = CRATES.iter().filter(|name| **name != LIBRARY).flat_map(|name| ["--package", name]);
        build.cargo(&compiler, ["build", "--bins"].into_iter().chain(programs))?;
        // Cargo optimises a library across crates only where no other crate is to use it.
        let library = ["rustc", "--package", LIBRARY, "--features", "decompress", "--lib"];
        let library = library.into_iter().chain(["--crate-type", "staticlib,cdylib"]);
        build.cargo(&compiler, library)?;
        Ok(build)
    }

    /// The file of this name.
    pub(super) fn file(&self, name: &str) -> Result<&Path> {
        self.files.get(name).map(PathBuf::as_path).with_context(|| format!("cargo has not built {name}"))
    }

    fn cargo<'a>(&mut self, compiler: &Compiler, arguments: impl Iterator<Item = &'a str>) -> Result<()> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root()).args(arguments).args(["--release", "--target", &self.triple]);
        cargo.arg("--target-dir").arg(&self.paths.target);
        cargo.arg("--message-format=json-render-diagnostics");
        self.paths.hide(compiler, &mut cargo)?;
        let output = cargo.stderr(Stdio::inherit()).output().context("cargo does not start")?;
        ensure!(output.status.success(), "what is to be packed does not build: {cargo:?}");
        for message in Message::parse_stream(&output.stdout[..]) {
            let Message::CompilerArtifact(artifact) = message? else { continue };
            for path in artifact.filenames {
                self.files.extend(path.file_name().map(|name| (name.to_owned(), path.clone().into())));
            }
        }
        Ok(())
    }
}

/// Where things lie that go into a build.
pub(super) struct Paths {
    /// A directory of our own: other flags make cargo build everything anew, which nobody wants of what they work with.
    target: PathBuf,
    /// Cargo's own directory: the sources of other crates lie in it.
    cargo: PathBuf,
    /// The compiler's directory.
    toolchain: PathBuf,
}

impl Paths {
    fn new(compiler: &Compiler) -> Result<Paths> {
        let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo = cargo.or_else(|| Some(env::home_dir()?.join(".cargo"))).context("nobody is at home")?;
        let cargo = std::path::absolute(cargo)?;
        Ok(Paths { target: scratch("dist-build"), cargo, toolchain: compiler.sysroot.clone() })
    }

    /// What the licences of the standard library's parts want to be told; compilers of some distributions lack it.
    pub(super) fn library_notices(&self) -> PathBuf {
        self.toolchain.join("share/doc/rust/COPYRIGHT-library.html")
    }

    /// What must not be found in a file of the package.
    pub(super) fn hidden(&self) -> [PathBuf; 4] {
        [self.cargo.join("registry"), root().join("crates"), self.target.clone(), self.toolchain.clone()]
    }

    /// Has the compilers write other paths in place of ours.
    fn hide(&self, compiler: &Compiler, cargo: &mut Command) -> Result<()> {
        // Of several that fit, the compilers take the last.
        let names = [
            // What the standard library comes with.
            (self.toolchain.join("lib/rustlib/src/rust"), format!("/rustc/{}", compiler.commit)),
            (self.cargo.clone(), "cargo".to_owned()),
            (root().to_owned(), "xenstream".to_owned()),
            (self.target.clone(), "target".to_owned()),
        ];
        let mut rust = match (env::var("CARGO_ENCODED_RUSTFLAGS"), env::var("RUSTFLAGS")) {
            (Ok(flags), _) => flags.split('\u{1f}').map(str::to_owned).collect(),
            (_, Ok(flags)) => flags.split_whitespace().map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let mut c = env::var("CFLAGS").ok().into_iter().collect::<Vec<_>>();
        for (path, name) in names {
            let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
            rust.push(format!("--remap-path-prefix={path}={name}"));
            // Flags of the C compiler are told apart by blanks.
            if !path.contains(char::is_whitespace) {
                c.push(format!("-ffile-prefix-map={path}={name}"));
            }
        }
        rust.retain(|flag| !flag.is_empty());
        cargo.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\u{1f}")).env("CFLAGS", c.join(" "));
        Ok(())
    }
}

/// What the compiler says of itself.
struct Compiler {
    host: String,
    commit: String,
    sysroot: PathBuf,
}

impl Compiler {
    fn ask() -> Result<Compiler> {
        let version = Compiler::say(&["-vV"])?;
        let line = |name: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::to_owned).with_context(|| format!("the compiler does not tell its {name}"))
        };
        let sysroot = Compiler::say(&["--print", "sysroot"])?.trim().into();
        Ok(Compiler { host: line("host: ")?, commit: line("commit-hash: ")?, sysroot })
    }

    fn say(arguments: &[&str]) -> Result<String> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc).args(arguments).current_dir(root()).output();
        let output = output.context("rustc does not start")?;
        ensure!(output.status.success(), "rustc {arguments:?} fails ({})", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }
}
