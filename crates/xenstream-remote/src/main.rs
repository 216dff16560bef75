//! `xenstream-remote`: `xenstream` that takes URLs where that takes files.

#![forbid(unsafe_code)]

use std::io;
use std::path::Path;
use std::process::ExitCode;

use xenstream::{Error, ReadAt};
use xenstream_commands::Elsewhere;
use xenstream_remote::{Credentials, Location, Object, Patience, shown};

fn main() -> ExitCode {
    xenstream_commands::main_with(Elsewhere {
        is_there: Location::is_location,
        open,
        shown: |name| shown(&name.to_string_lossy()).into(),
    })
}

fn open(name: &Path) -> Result<Box<dyn ReadAt + Send + Sync>, Error> {
    let failed =
        |error| Error::Open { path: shown(&name.to_string_lossy()).into(), source: io::Error::other(error) };
    let open = || {
        let credentials = Credentials::load()?;
        Object::open(&name.to_string_lossy(), &credentials, Patience::default())
    };
    Ok(Box::new(open().map_err(failed)?))
}
