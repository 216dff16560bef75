//! `/etc/xenstream.toml`: the directories that are looked after, in the table `watch`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Which images are looked after, and where the outcome goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Directories, with everything below them. Those that do not exist are passed over.
    pub(crate) directories: Vec<PathBuf>,
    /// The file that remembers what did not change.
    pub(crate) state: Option<PathBuf>,
    /// The file for Prometheus.
    pub(crate) textfile: Option<PathBuf>,
    /// The description of the host on which the images will be restored.
    pub(crate) host: Option<PathBuf>,
}

/// The file. Its other keys are the save helper's.
#[derive(Deserialize)]
struct File {
    watch: Settings,
}

impl Settings {
    /// Reads a file.
    pub(crate) fn load(path: &str) -> Result<Settings, String> {
        let text = fs::read_to_string(Path::new(path)).map_err(|error| format!("cannot be read: {error}"))?;
        Settings::parse(&text)
    }

    fn parse(text: &str) -> Result<Settings, String> {
        let File { watch } = toml::from_str(text).map_err(|error| error.to_string())?;
        if watch.directories.is_empty() {
            Err("watch.directories names no directory".to_owned())
        } else {
            Ok(watch)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_beside_other_keys() {
        let text = "profile = 'restore'\n[watch]\ndirectories = ['/a', '/b']\nstate = '/s'\n";
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.directories, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!((settings.state, settings.textfile), (Some("/s".into()), None));
        for wrong in ["", "[watch]", "[watch]\ndirectories = []", "[watch]\ndirectories = ['/a']\ncolour = 1"]
        {
            assert!(Settings::parse(wrong).is_err(), "{wrong}");
        }
    }
}
