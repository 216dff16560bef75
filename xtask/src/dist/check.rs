//! The package, installed and used.

mod copyright;
mod library;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use command_fds::{CommandFdExt, FdMapping};
use xenstream_synth::valid;

use super::{Package, files, run_quietly};

/// Number of the descriptor on which the stand-in for the restore helper gets its stream.
const STREAM: i32 = 11;

/// Unpacks the package and tries each thing in it.
pub(super) fn run(deb: &Path, installed: &Path, package: &Package) -> Result<()> {
    if installed.exists() {
        fs::remove_dir_all(installed)?;
    }
    fs::create_dir_all(installed)?;
    // With what is for dpkg.
    run_quietly(Command::new("dpkg-deb").arg("--raw-extract").args([deb, installed]))?;
    let installed = Installed { root: installed.to_owned(), libraries: package.libraries() };
    installed.check_paths(&package.build.paths.hidden())?;
    let streams = Streams::write(&installed.root)?;
    installed.check_program(&streams)?;
    installed.check_pages()?;
    installed.check_dropin(&streams)?;
    installed.check_helper(&streams)?;
    installed.check_copyright(&package.build.triple)?;
    installed.check_library(&streams)?;
    installed.check_control(deb)
}

struct Installed {
    root: PathBuf,
    libraries: String,
}

/// A bare libxc stream, and the same without its end.
struct Streams {
    valid: PathBuf,
    torn: PathBuf,
}

impl Streams {
    fn write(directory: &Path) -> Result<Streams> {
        let streams = Streams { valid: directory.join("valid"), torn: directory.join("torn") };
        let bytes = valid::hvm().bytes();
        fs::write(&streams.valid, &bytes)?;
        fs::write(&streams.torn, &bytes[..bytes.len() - 1])?;
        Ok(streams)
    }
}

impl Installed {
    /// No file tells where it was built.
    fn check_paths(&self, hidden: &[PathBuf]) -> Result<()> {
        for file in files(&self.root)?.iter().filter(|file| !file.is_symlink()) {
            let bytes = fs::read(file)?;
            for path in hidden {
                let path = path.as_os_str().as_encoded_bytes();
                let found = bytes.windows(path.len()).position(|bytes| bytes == path);
                ensure!(found.is_none(), "{} has a path of this machine at {found:?}", file.display());
            }
        }
        Ok(())
    }

    fn check_program(&self, streams: &Streams) -> Result<()> {
        let program = || Command::new(self.root.join("usr/bin/xenstream"));
        let version = output(program().arg("--version"), 0)?;
        let expected = format!("xenstream {}\n", env!("CARGO_PKG_VERSION"));
        ensure!(version.stdout == expected.as_bytes(), "xenstream --version: {version:?}");
        output(program().arg("verify").arg(&streams.valid), 0)?;
        output(program().arg("verify").arg(&streams.torn), 1)?;
        Ok(())
    }

    /// Each command has its manual page, and each shell its completions.
    fn check_pages(&self) -> Result<()> {
        let program = xenstream_commands::command_line();
        let commands =
            program.get_subcommands().map(|command| format!("man1/xenstream-{}.1", command.get_name()));
        let others = ["man1/xenstream.1", "man8/xenstream-save-helper.8", "man8/xenstream-xenguest.8"]
            .map(str::to_owned);
        for page in commands.chain(others) {
            let path = self.root.join(format!("usr/share/man/{page}.gz"));
            run_quietly(Command::new("gzip").arg("--test").arg(path))?;
        }
        for path in [
            "bash-completion/completions/xenstream",
            "fish/vendor_completions.d/xenstream.fish",
            "zsh/vendor-completions/_xenstream",
        ] {
            let text = fs::read_to_string(self.root.join("usr/share").join(path)).context(path)?;
            // The script asks the program, which knows the commands.
            ensure!(text.contains("XENSTREAM_COMPLETE"), "{path} does not ask the program");
        }
        Ok(())
    }

    /// dpkg understands what it is told, and nothing of it is empty.
    fn check_control(&self, deb: &Path) -> Result<()> {
        let fields = output(Command::new("dpkg-deb").arg("--field").arg(deb), 0)?;
        let fields = String::from_utf8(fields.stdout)?;
        for field in
            ["Depends: libc6 (>= 2.", "Section: admin", "Priority: optional", "Description: verifier"]
        {
            ensure!(fields.lines().any(|line| line.starts_with(field)), "no {field} in\n{fields}");
        }
        for line in fields.lines() {
            ensure!(!line.ends_with([':', ' ']) && line.len() < 200, "{line}");
        }
        let sums = self.root.join("DEBIAN/md5sums");
        run_quietly(Command::new("md5sum").args(["--check", "--strict"]).arg(sums).current_dir(&self.root))
    }

    fn check_dropin(&self, streams: &Streams) -> Result<()> {
        let program = || Command::new(self.root.join("usr/libexec/xenstream/verify-stream-v2"));
        output(program().arg("-i").arg(&streams.valid), 0)?;
        output(program().arg("-i").arg(&streams.torn), 1)?;
        Ok(())
    }

    /// With a real helper that does nothing and is content.
    fn check_helper(&self, streams: &Streams) -> Result<()> {
        for (stream, status) in [(&streams.valid, 0), (&streams.torn, 1)] {
            let mut helper = Command::new(self.root.join("usr/libexec/xenstream-save-helper"));
            helper.args(["--restore-domain", "11", "-1", "7", "5", "0", "6", "0", "0", "0"]);
            helper.env("XENSTREAM_SAVE_HELPER_REAL", "/bin/true");
            let parent_fd = File::open(stream)?.into();
            helper.fd_mappings(vec![FdMapping { parent_fd, child_fd: STREAM }])?;
            output(&mut helper, status)?;
        }
        // Content before it has read anything, so only what is valid has an end that is known.
        let mut guest = Command::new(self.root.join("usr/libexec/xenstream-xenguest"));
        guest.args(["-mode", "hvm_restore", "-domid", "7", "-fd", "11"]);
        guest.env("XENSTREAM_XENGUEST_REAL", "/bin/true");
        let parent_fd = File::open(&streams.valid)?.into();
        guest.fd_mappings(vec![FdMapping { parent_fd, child_fd: STREAM }])?;
        output(&mut guest, 0)?;
        Ok(())
    }
}

/// Returns whether there is a program of this name.
fn is_here(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok()
}

/// Runs a command that has to end with this status.
fn output(command: &mut Command, status: i32) -> Result<Output> {
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(status),
        "{command:?}: {}, expected {status}\n{said}",
        output.status
    );
    Ok(output)
}
