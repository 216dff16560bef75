//! The same files as an RPM package, built by rpmbuild from `packaging/xenstream.spec`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use xenstream_synth::valid;

use super::{Package, VERSION, files, last_change, run_quietly};
use crate::root;

const SPECIFICATION: &str = "packaging/xenstream.spec";
/// Where RPM distributions have the libraries of 64-bit programs.
const LIBRARIES: &str = "/usr/lib64";

/// Builds the package from the tree of the Debian package, and uses what is in it.
pub(super) fn build(package: &Package, directory: &Path) -> Result<Option<PathBuf>> {
    if Command::new("rpmbuild").arg("--version").output().is_err() {
        println!("dist: no RPM package, there is no rpmbuild");
        return Ok(None);
    }
    let top = directory.join("rpm");
    if top.exists() {
        fs::remove_dir_all(&top)?;
    }
    fs::create_dir_all(&top)?;
    let mut command = Command::new("rpmbuild");
    command.arg("-bb").env("SOURCE_DATE_EPOCH", last_change()?);
    for (name, value) in [
        ("_topdir", top.to_str().context("the path of the build is plain")?),
        ("version", VERSION),
        ("tree", package.root.to_str().context("the path of the build is plain")?),
        ("multiarch", package.machine.1),
        ("_libdir", LIBRARIES),
        ("_build_id_links", "none"),
        ("use_source_date_epoch_as_buildtime", "1"),
        ("clamp_mtime_to_source_date_epoch", "1"),
        ("_buildhost", "localhost"),
    ] {
        command.arg("--define").arg(format!("{name} {value}"));
    }
    run_quietly(command.arg(root().join(SPECIFICATION)))?;
    let built = files(&top.join("RPMS"))?;
    let [rpm] = built.as_slice() else { anyhow::bail!("rpmbuild has made {built:?}") };
    check(rpm, package, &directory.join("rpm-installed"))?;
    Ok(Some(rpm.clone()))
}

/// Unpacks the package: nothing is missing, and the program runs.
fn check(rpm: &Path, package: &Package, installed: &Path) -> Result<()> {
    if installed.exists() {
        fs::remove_dir_all(installed)?;
    }
    fs::create_dir_all(installed)?;
    let mut cpio = Command::new("rpm2cpio").arg(rpm).stdout(Stdio::piped()).spawn().context("rpm2cpio")?;
    let archive = cpio.stdout.take().context("it has an output")?;
    run_quietly(
        Command::new("cpio")
            .args(["--extract", "--make-directories", "--quiet"])
            .current_dir(installed)
            .stdin(archive),
    )?;
    ensure!(cpio.wait()?.success(), "rpm2cpio fails");
    let in_debian = files(&package.root)?;
    let in_rpm = files(installed)?;
    ensure!(in_rpm.len() == in_debian.len(), "of {} files there are {}", in_debian.len(), in_rpm.len());
    let image = installed.join("image");
    fs::write(&image, valid::hvm().bytes())?;
    run_quietly(Command::new(installed.join("usr/bin/xenstream")).arg("verify").arg(&image))?;
    let library = installed.join("usr/lib64/pkgconfig/xenstream.pc");
    let text = fs::read_to_string(&library).with_context(|| library.display().to_string())?;
    ensure!(text.contains("libdir=/usr/lib64\n"), "{text}");
    let mut query = Command::new("rpm");
    query.args(["--query", "--package", "--requires"]).arg(rpm);
    let output = query.output()?;
    let requires = String::from_utf8_lossy(&output.stdout);
    // A dom0 with an older one refuses to install what would not start.
    ensure!(requires.contains("libc.so.6(GLIBC_"), "the package requires only:\n{requires}");
    Ok(())
}
