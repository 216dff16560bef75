//! What `xenstream convert` makes of images of a real Xen, put to Xen's restore code: a cured image is taken where the
//! image itself is refused, and a Remus stream becomes one that a plain restorer takes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xenstream::rewrite::{Container, Convert, Loss, Output, convert};
use xenstream::{Input, Options};
use xenstream_core::{Checkpointing, Policy, Target};
use xenstream_peer::{Domain, Harness, Verdict};

use crate::root;

/// Converts every real image for every release, and asks its restorer.
pub(super) fn conversions(harnesses: &[Harness], directory: &Path) -> Result<()> {
    let mut images: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(root().join("corpus/real"))? {
        let path = entry?.path();
        images.extend(Some(path).filter(|path| path.extension().is_some_and(|extension| extension == "xz")));
    }
    images.sort();
    let (mut taken, mut cured) = (0, 0);
    for harness in harnesses {
        let target = harness.release().target();
        let mut restorer = harness.start(Checkpointing::Plain, Domain::AsTheStreamSays, true)?;
        for image in &images {
            let name = image.display();
            let out = directory.join("converted");
            let fate = libxc_of(image, &out, Some(target))?;
            if fate != Fate::Refused {
                let answer = restorer.ask(&out)?;
                ensure!(
                    answer.verdict == Verdict::Accept,
                    "{name}, converted for {target}: Xen's restorer says {answer:?}"
                );
                taken += 1;
            }
            // The same without the cure.
            if fate != Fate::AsItWas {
                libxc_of(image, &out, None)?;
                let answer = restorer.ask(&out)?;
                ensure!(answer.verdict == Verdict::Reject, "{name}: {target} takes it, xenstream does not");
                cured += u32::from(fate == Fate::Cured);
            }
            fs::remove_file(&out)?;
        }
    }
    println!("peer: {taken} conversions of real images are taken by Xen's restorer, {cured} of them cured");
    Ok(())
}

/// What became of an image for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The target takes it as it was saved.
    AsItWas,
    /// It took a cure.
    Cured,
    /// There is none.
    Refused,
}

/// Makes a plain, bare libxc stream of an image.
fn libxc_of(image: &Path, out: &Path, target: Option<Target>) -> Result<Fate> {
    let what = Convert::default()
        .with_plain(true)
        .with_container(Some(Container::Libxc))
        .with_lossy(&[Loss::DeviceModel, Loss::Xenstore]);
    let options = Options::new(Policy::restore().with_target(target));
    let output = Output::Path { path: out, overwrite: true };
    let converted = convert(Input::Path(image), output, &options, &what);
    let converted = converted.with_context(|| image.display().to_string())?;
    if !converted.obstacles.is_empty() {
        ensure!(target.is_some(), "{}: {:?}", image.display(), converted.obstacles);
        return Ok(Fate::Refused);
    }
    Ok(if converted.report.is_valid() { Fate::AsItWas } else { Fate::Cured })
}
