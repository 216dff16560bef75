//! What dpkg is told of the package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{Package, VERSION, abi, files};

/// For those who search: a line, and a few lines of at most 79 characters.
const DESCRIPTION: &str = "\
verifier of Xen saved domains and migration streams
 Tells whether a Xen guest's saved image or migration stream can be restored,
 before anybody tries: images of xl, libvirt and xenopsd, whole or compressed,
 from a file, a pipe or a directory full of them.
 .
 Contains the program xenstream, the stand-ins for libxl-save-helper and
 xenguest that let only verified streams pass, and the C library with its
 header.
";

impl Package {
    /// Writes the files for dpkg, with the help of a directory.
    pub(super) fn describe(&self, directory: &Path) -> Result<()> {
        let mut bytes = 0;
        let mut sums = Vec::new();
        for file in files(&self.root)? {
            bytes += fs::symlink_metadata(&file)?.len();
            if !file.is_symlink() {
                sums.push(file.strip_prefix(&self.root)?.to_owned());
            }
        }
        let output = Command::new("md5sum").args(&sums).current_dir(&self.root).output()?;
        ensure!(output.status.success(), "md5sum fails ({})", output.status);
        self.write("DEBIAN/md5sums", &String::from_utf8(output.stdout)?)?;
        self.write("DEBIAN/triggers", "activate-noawait ldconfig\n")?;
        // By this a package is told what to depend on whose program is linked with the library.
        self.write("DEBIAN/shlibs", &format!("libxenstream {} xenstream (>= {VERSION})\n", abi()?))?;
        self.write("DEBIAN/control", &self.control(bytes.div_ceil(1024), directory)?)
    }

    fn control(&self, kibibytes: u64, directory: &Path) -> Result<String> {
        let mut control = format!(
            "Package: xenstream\n\
             Version: {VERSION}\n\
             Architecture: {}\n\
             Maintainer: The xenstream developers <xenstream@users.noreply.github.com>\n\
             Installed-Size: {kibibytes}\n\
             Depends: {}\n\
             Section: admin\n\
             Priority: optional\n",
            self.machine.0,
            self.depends(directory)?,
        );
        let homepage = env!("CARGO_PKG_HOMEPAGE");
        if !homepage.is_empty() {
            control += &format!("Homepage: {homepage}\n");
        }
        Ok(control + "Description: " + DESCRIPTION)
    }

    /// The packages that the programs and the shared library need, of which dpkg knows more than we do.
    fn depends(&self, directory: &Path) -> Result<String> {
        let programs = self.programs()?;
        dependencies(&programs, &[], &directory.join("depends")).or_else(|error| {
            println!("dist: depends on what is always needed: {error:#}");
            Ok(format!("libc6 (>= {}), libgcc-s1", glibc(&programs)?))
        })
    }

    /// What the loader loads.
    fn programs(&self) -> Result<Vec<PathBuf>> {
        let mut programs = Vec::new();
        for path in files(&self.root)? {
            if !path.is_symlink() && fs::read(&path)?.starts_with(b"\x7FELF") {
                programs.push(path);
            }
        }
        Ok(programs)
    }
}

/// What dpkg-shlibdeps says that these programs depend on. It wants to be called where a package is made.
pub(super) fn dependencies(programs: &[PathBuf], options: &[&str], directory: &Path) -> Result<String> {
    let debian = directory.join("debian");
    fs::create_dir_all(&debian)?;
    fs::write(debian.join("control"), "Source: program\n\nPackage: program\nArchitecture: any\n")?;
    let mut command = Command::new("dpkg-shlibdeps");
    command.current_dir(directory).arg("-O").args(options).args(programs);
    let output = command.output().context("dpkg-shlibdeps does not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} fails ({})\n{said}", output.status);
    let reported = String::from_utf8(output.stdout)?;
    let depends = reported.trim().strip_prefix("shlibs:Depends=").context("dpkg-shlibdeps tells nothing")?;
    Ok(depends.to_owned())
}

/// The newest version of glibc whose symbols are used: it is written beside them.
fn glibc(programs: &[PathBuf]) -> Result<String> {
    const MARK: &[u8] = b"GLIBC_";
    let mut newest = (2, 0);
    for path in programs {
        let bytes = fs::read(path)?;
        for at in (0..bytes.len()).filter(|at| bytes[*at..].starts_with(MARK)) {
            let version = bytes[at + MARK.len()..].iter().take_while(|c| c.is_ascii_digit() || **c == b'.');
            let version: String = version.map(|c| char::from(*c)).collect();
            let mut numbers = version.split('.').map_while(|number| number.parse().ok());
            if let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) {
                newest = newest.max((major, minor));
            }
        }
    }
    let (major, minor): (u32, u32) = newest;
    ensure!(minor > 0, "no program names a version of glibc");
    Ok(format!("{major}.{minor}"))
}
