//! The C library, linked with programs in all the ways there are.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use xenstream_synth::valid;

use super::{Installed, Streams, is_here, output};
use crate::dist::archive::{PREFIX, exported};
use crate::dist::{control, run_quietly};
use crate::root;

/// A way to link: what pkg-config is asked, and what the compiler is told.
const WAYS: [(&str, &[&str]); 4] = [
    ("--shared", &[]),
    ("--static", &[]),
    ("--static", &["-Wl,--gc-sections"]),
    // Nothing of the program is shared.
    ("--static", &["-static"]),
];

/// Decompressors of the system: how they are linked, and which function tells their version.
const SYSTEMS: [(&str, &str); 4] = [
    ("-llzma", "lzma_version_string"),
    ("-l:liblzma.a", "lzma_version_string"),
    ("-lzstd", "ZSTD_versionString"),
    ("-l:libzstd.a", "ZSTD_versionString"),
];

impl Installed {
    pub(super) fn check_library(&self, streams: &Streams) -> Result<()> {
        self.check_names()?;
        if !is_here("cc") || !is_here("pkg-config") {
            println!("dist: the library is not linked, there is no cc or no pkg-config");
            return Ok(());
        }
        let example = self.root.join("usr/share/doc/xenstream/examples/restore_helper.c");
        for (linking, flags) in WAYS {
            let helper = self.compile(&example, linking, flags)?;
            for (stream, status) in [(&streams.valid, 0), (&streams.torn, 1)] {
                output(self.command(&helper).stdin(File::open(stream)?), status)?;
            }
        }
        self.check_neighbours()?;
        self.check_dependents(&example)
    }

    /// Both libraries have the functions of the header, and no other name.
    fn check_names(&self) -> Result<()> {
        let header = fs::read_to_string(self.root.join("usr/include/xenstream.h"))?;
        let words = header.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '(');
        // A call of a function in a comment is no other function.
        let mut functions: Vec<_> = words
            .filter_map(|word| word.split_once('(').map(|(name, _)| name))
            .filter(|name| name.starts_with(PREFIX))
            .collect();
        functions.sort_unstable();
        functions.dedup();
        for (library, how) in [("libxenstream.a", &[][..]), ("libxenstream.so", &["--dynamic"])] {
            let names = exported(&self.library(library), how)?;
            ensure!(names == functions, "{library} has {names:?}, expected {functions:?}");
        }
        Ok(())
    }

    /// A program that has other decompressors under the names of ours keeps them, and ours are used for its stream.
    fn check_neighbours(&self) -> Result<()> {
        let source = self.root.join("neighbours.c");
        fs::write(&source, include_str!("neighbours.c"))?;
        let zstd = self.root.join("valid.zst");
        fs::write(&zstd, zstd::encode_all(&valid::hvm().bytes()[..], 1)?)?;
        let inputs = [zstd, root().join("corpus/real/pvh64-1v.xl.xz")];
        for linking in ["--shared", "--static"] {
            let program = self.compile(&source, linking, &["-DOWN"])?;
            for input in &inputs {
                output(self.command(&program).stdin(File::open(input)?), 0)?;
            }
            for (library, function) in SYSTEMS {
                let version = format!("-DVERSION={function}");
                let alone = self.root.join("alone");
                let mut compiler = Command::new("cc");
                compiler.args(["-DALONE", &version, "-o"]).args([&alone, &source]).arg(library);
                if !compiler.output()?.status.success() {
                    println!("dist: not linked together with {library}, which is not here");
                    continue;
                }
                let expected = output(&mut Command::new(&alone), 0)?.stdout;
                let program = self.compile(&source, linking, &[&version, library])?;
                for input in &inputs {
                    let reported = output(self.command(&program).stdin(File::open(input)?), 0)?.stdout;
                    ensure!(
                        reported == expected,
                        "with {library} {linking} the program gets ours for its own"
                    );
                }
            }
        }
        Ok(())
    }

    /// A package with a program that is linked with the library learns that it depends on ours.
    fn check_dependents(&self, example: &Path) -> Result<()> {
        if !is_here("dpkg-shlibdeps") {
            println!("dist: what depends on the package is not asked, there is no dpkg-shlibdeps");
            return Ok(());
        }
        let program = self.compile(example, "--shared", &[])?;
        // dpkg finds a package that is not installed by a library that lies beside its DEBIAN.
        let libraries = format!("-l{}", self.root.join(&self.libraries).display());
        let depends = control::dependencies(&[program], &[&libraries], &self.root.join("depends"))?;
        let ours = format!("xenstream (>= {})", env!("CARGO_PKG_VERSION"));
        ensure!(depends.split(", ").any(|package| package == ours), "dpkg-shlibdeps: {depends}");
        Ok(())
    }

    /// Compiles a program with what pkg-config says, and with these flags.
    fn compile(&self, source: &Path, linking: &str, flags: &[&str]) -> Result<PathBuf> {
        let mut asked = Command::new("pkg-config");
        asked.env("PKG_CONFIG_LIBDIR", self.library("pkgconfig")).env("PKG_CONFIG_SYSROOT_DIR", &self.root);
        asked.args(["--cflags", "--libs", linking, "xenstream"]);
        let reported = String::from_utf8(output(&mut asked, 0)?.stdout)?;
        // Where both libraries lie side by side, the linker takes the shared one unless it is told.
        let reported = match linking {
            "--static" => reported.replace("-lxenstream", "-l:libxenstream.a"),
            _ => reported,
        };
        let program = source.file_stem().context("a source has a name")?;
        let program = self.root.join(program);
        let mut compiler = Command::new("cc");
        compiler.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror"]);
        compiler.arg("-o").args([&program, source]).args(reported.split_whitespace());
        run_quietly(compiler.args(flags))?;
        Ok(program)
    }

    /// A program that finds the shared library.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", self.root.join(&self.libraries));
        command
    }

    fn library(&self, name: &str) -> PathBuf {
        self.root.join(&self.libraries).join(name)
    }
}
