//! `cargo xtask dist`: a Debian package of everything, and with `--rpm` an RPM package of the same. Each is then unpacked into
//! a scratch directory and used from there.

mod archive;
mod build;
mod check;
mod control;
mod copyright;
mod rpm;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::dist::build::Build;
use crate::{root, scratch};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const HEADER: &str = "crates/xenstream-capi/include/xenstream.h";

/// What is installed as it is: where it lies in the repository, and where it is to lie.
const FILES: [(&str, &str); 22] = [
    (HEADER, "usr/include/xenstream.h"),
    ("crates/xenstream-capi/examples/restore_helper.c", "usr/share/doc/xenstream/examples/restore_helper.c"),
    ("CHANGELOG.md", "usr/share/doc/xenstream/changelog"),
    ("docs/convert.md", "usr/share/doc/xenstream/convert.md"),
    ("docs/host.md", "usr/share/doc/xenstream/host.md"),
    ("docs/fleets.md", "usr/share/doc/xenstream/fleets.md"),
    ("docs/inspect.md", "usr/share/doc/xenstream/inspect.md"),
    ("docs/monitoring.md", "usr/share/doc/xenstream/monitoring.md"),
    ("docs/quick-start.md", "usr/share/doc/xenstream/quick-start.md"),
    ("docs/report.md", "usr/share/doc/xenstream/report.md"),
    ("docs/restore-helper.md", "usr/share/doc/xenstream/restore-helper.md"),
    ("docs/rules.md", "usr/share/doc/xenstream/rules.md"),
    ("docs/scrub.md", "usr/share/doc/xenstream/scrub.md"),
    ("docs/troubleshooting.md", "usr/share/doc/xenstream/troubleshooting.md"),
    ("docs/xcp-ng.md", "usr/share/doc/xenstream/xcp-ng.md"),
    ("packaging/fleets/kubernetes-job.yaml", "usr/share/doc/xenstream/examples/kubernetes-job.yaml"),
    ("packaging/fleets/slurm.sh", "usr/share/doc/xenstream/examples/slurm.sh"),
    ("packaging/fleets/verify_dask.py", "usr/share/doc/xenstream/examples/verify_dask.py"),
    ("packaging/libvirt-hook", "usr/share/doc/xenstream/examples/libvirt-hook"),
    ("packaging/xenstream.toml", "usr/share/doc/xenstream/examples/xenstream.toml"),
    ("packaging/xenstream-verify.service", "usr/lib/systemd/system/xenstream-verify.service"),
    ("packaging/xenstream-verify.timer", "usr/lib/systemd/system/xenstream-verify.timer"),
];

/// Manual pages; the last letter of a file's name is its section.
const PAGES: &str = "docs/man";

/// Completions that `cargo xtask docs` makes: the folder in the repository, and where its files are to lie.
const FOLDERS: [(&str, &str); 3] = [
    ("docs/completions/bash", "usr/share/bash-completion/completions"),
    ("docs/completions/fish", "usr/share/fish/vendor_completions.d"),
    ("docs/completions/zsh", "usr/share/zsh/vendor-completions"),
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Makes an RPM package of the same files, too.
    #[arg(long)]
    rpm: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    for tool in ["dpkg-deb", "gzip", "md5sum", "ld", "objcopy", "nm", "ar", "strip"] {
        if Command::new(tool).arg("--version").output().is_err() {
            println!("dist: skipped, there is no {tool}");
            return Ok(());
        }
    }
    let directory = scratch("dist");
    let package = Package::new(&directory)?;
    let deb = package.build(&directory)?;
    check::run(&deb, &directory.join("installed"), &package)?;
    println!("dist: {}", deb.display());
    if arguments.rpm
        && let Some(rpm) = rpm::build(&package, &directory)?
    {
        println!("dist: {}", rpm.display());
    }
    Ok(())
}

/// The tree that becomes the package.
struct Package {
    root: PathBuf,
    build: Build,
    /// Debian's name of the machine, and that of its libraries' directory.
    machine: (&'static str, &'static str),
}

impl Package {
    fn new(directory: &Path) -> Result<Package> {
        let machine = match std::env::consts::ARCH {
            "x86_64" => ("amd64", "x86_64-linux-gnu"),
            "aarch64" => ("arm64", "aarch64-linux-gnu"),
            other => {
                bail!("no Debian package is made for {other}, where Xen does not run or nobody has tried")
            }
        };
        let root = directory.join("root");
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| root.display().to_string())?;
        }
        Ok(Package { root, build: Build::run()?, machine })
    }

    /// Where libraries lie, from the top.
    fn libraries(&self) -> String {
        format!("usr/lib/{}", self.machine.1)
    }

    fn build(&self, directory: &Path) -> Result<PathBuf> {
        self.install_programs()?;
        self.install_library(directory)?;
        for (from, to) in FILES {
            self.install(&root().join(from), to, 0o644)?;
        }
        for (from, to) in FOLDERS {
            for (path, name) in entries(from)? {
                self.install(&path, &format!("{to}/{name}"), 0o644)?;
            }
        }
        for (path, name) in entries(PAGES)? {
            let section = &name[name.len() - 1..];
            let to = format!("usr/share/man/man{section}/{name}");
            self.install(&path, &to, 0o644)?;
            self.compress(&to)?;
        }
        self.compress("usr/share/doc/xenstream/changelog")?;
        self.install_copyright()?;
        self.describe(directory)?;

        let deb = directory.join(format!("xenstream_{VERSION}_{}.deb", self.machine.0));
        let mut command = Command::new("dpkg-deb");
        command.args(["--root-owner-group", "--build"]).args([&self.root, &deb]);
        // The same sources make the same package.
        command.env("SOURCE_DATE_EPOCH", last_change()?);
        run_quietly(&mut command)?;
        Ok(deb)
    }

    fn install_programs(&self) -> Result<()> {
        self.install_stripped("xenstream", "usr/bin/xenstream", 0o755, "--strip-all")?;
        for helper in ["xenstream-save-helper", "xenstream-xenguest"] {
            self.install_stripped(helper, &format!("usr/libexec/{helper}"), 0o755, "--strip-all")?;
        }
        // Not in the path of commands, where Xen's own may be.
        self.link("../../bin/xenstream", "usr/libexec/xenstream/verify-stream-v2")
    }

    fn install_library(&self, directory: &Path) -> Result<()> {
        let libraries = self.libraries();
        let file = format!("libxenstream.so.{VERSION}");
        let name = format!("libxenstream.so.{}", abi()?);
        let path = format!("{libraries}/{file}");
        self.install_stripped("libxenstream_c.so", &path, 0o644, "--strip-unneeded")?;
        self.link(&file, &format!("{libraries}/{name}"))?;
        self.link(&name, &format!("{libraries}/libxenstream.so"))?;
        let archive = directory.join("libxenstream.a");
        archive::make(self.build.file("libxenstream_c.a")?, &archive, directory)?;
        self.install(&archive, &format!("{libraries}/libxenstream.a"), 0o644)?;

        let template = fs::read_to_string(root().join("crates/xenstream-capi/xenstream.pc.in"))?;
        let pc = [
            ("prefix", "/usr"),
            ("libdir", &format!("${{prefix}}/lib/{}", self.machine.1)),
            ("includedir", "${prefix}/include"),
            ("version", VERSION),
        ]
        .iter()
        .fold(template, |text, (name, value)| text.replace(&format!("@{name}@"), value));
        self.write(&format!("{libraries}/pkgconfig/xenstream.pc"), &pc)
    }

    fn install_copyright(&self) -> Result<()> {
        let notices = self.build.paths.library_notices();
        let name = "rust-library-copyright.html";
        if notices.exists() {
            let to = format!("usr/share/doc/xenstream/{name}");
            self.install(&notices, &to, 0o644)?;
            self.compress(&to)?;
        }
        let told_in = notices.exists().then(|| format!("{name}.gz"));
        let text = copyright::text(&self.build.triple, told_in.as_deref())?;
        self.write("usr/share/doc/xenstream/copyright", &text)
    }

    fn install_stripped(&self, from: &str, to: &str, mode: u32, how: &str) -> Result<()> {
        self.install(self.build.file(from)?, to, mode)?;
        run_quietly(Command::new("strip").arg(how).arg(self.root.join(to)))
    }

    fn install(&self, from: &Path, to: &str, mode: u32) -> Result<()> {
        let to = self.place(to)?;
        fs::copy(from, &to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    fn write(&self, to: &str, text: &str) -> Result<()> {
        let to = self.place(to)?;
        fs::write(&to, text).with_context(|| to.display().to_string())?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o644))?;
        Ok(())
    }

    fn link(&self, target: &str, to: &str) -> Result<()> {
        let to = self.place(to)?;
        symlink(target, &to).with_context(|| to.display().to_string())
    }

    fn compress(&self, path: &str) -> Result<()> {
        run_quietly(Command::new("gzip").args(["--best", "--no-name"]).arg(self.root.join(path)))
    }

    /// A path in the tree, with its directory.
    fn place(&self, path: &str) -> Result<PathBuf> {
        let path = self.root.join(path);
        let mut directory = path.parent().context("a file lies in a directory")?;
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        // Whatever the umask, what is installed can be entered.
        while directory.starts_with(&self.root) {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
            directory = directory.parent().context("the tree lies in a directory")?;
        }
        Ok(path)
    }
}

/// The number at the end of the shared library's name, from the header that programs are compiled with.
fn abi() -> Result<String> {
    let header = fs::read_to_string(root().join(HEADER))?;
    let line = header.lines().find_map(|line| line.strip_prefix("#define XS_ABI "));
    Ok(line.context("the header has no XS_ABI")?.trim().to_owned())
}

/// The files of a folder in the repository, with their names.
fn entries(folder: &str) -> Result<Vec<(PathBuf, String)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(root().join(folder)).with_context(|| folder.to_owned())? {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().context("a file of ours has a plain name")?;
        entries.push((entry.path(), name));
    }
    ensure!(!entries.is_empty(), "nothing lies in {folder}");
    Ok(entries)
}

/// All files of a tree, sorted, without what is for dpkg.
fn files(top: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories = vec![top.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() {
                if !path.ends_with("DEBIAN") {
                    directories.push(path);
                }
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// When the sources were last changed, in seconds since 1970; without git, at the beginning.
fn last_change() -> Result<String> {
    let output = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()).output();
    match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8(output.stdout)?.trim().to_owned()),
        _ => Ok("0".to_owned()),
    }
}

/// Runs a command that has to succeed, and shows what it says only if it does not.
fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} fails ({})\n{said}", output.status);
    Ok(())
}
