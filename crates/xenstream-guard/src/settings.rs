//! How the program is configured: by the environment, else by a file.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use xenstream::host::running_release;
use xenstream::{Checkpointing, Fact, Format, Level, Options, Policy, Profile, Rule, Target};

use crate::{Error, Operation, Program};

/// The file, unless `XENSTREAM_CONFIG` names another.
const FILE: &str = "/etc/xenstream.toml";

/// The variable with the path of Xen's libxl-save-helper.
pub const SAVE_HELPER_REAL: &str = "XENSTREAM_SAVE_HELPER_REAL";
/// The variable with the path of Xen's xenguest.
pub const XENGUEST_REAL: &str = "XENSTREAM_XENGUEST_REAL";

/// How the program is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The program that is configured.
    pub program: &'static Program,
    /// The real program, if it is not to be looked for.
    pub real: Option<PathBuf>,
    /// What streams are held to.
    pub profile: Profile,
    /// What becomes of those that break a rule.
    pub mode: Mode,
    /// Where reports go.
    pub report: Option<Destination>,
    /// Which release of Xen has to take the stream.
    pub target: TargetChoice,
}

/// Which release of Xen has to take the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetChoice {
    /// On restore the release that runs on this host, if it is known; otherwise any.
    Auto,
    /// Any.
    None,
    /// This one.
    Release(Target),
}

impl TargetChoice {
    fn target(self, operation: Operation) -> Option<Target> {
        match (self, operation) {
            (TargetChoice::Auto, Operation::Restore) => running_release(),
            (TargetChoice::Auto, Operation::Save) | (TargetChoice::None, _) => None,
            (TargetChoice::Release(target), _) => Some(target),
        }
    }
}

/// What becomes of a stream that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is cut off.
    Enforce,
    /// It passes and is reported.
    Warn,
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A file, to whose end a line of JSON is added.
    File(PathBuf),
    /// The system's log, at this socket.
    Syslog(PathBuf),
}

/// The file, as it is written. The keys are those of the environment without their prefix, in lower case.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// What `xenstream verify --watched` reads.
    #[serde(rename = "watch")]
    _watch: Option<serde::de::IgnoredAny>,
    save_helper_real: Option<PathBuf>,
    xenguest_real: Option<PathBuf>,
    profile: Option<String>,
    mode: Option<String>,
    report: Option<PathBuf>,
    target: Option<String>,
}

impl Settings {
    /// Reads the environment and the file.
    ///
    /// # Errors
    /// Something in them is not understood, or the file cannot be read.
    pub fn load(program: &'static Program) -> Result<Settings, Error> {
        let named = env::var_os("XENSTREAM_CONFIG").filter(|path| !path.is_empty());
        let path = named.as_ref().map_or(Path::new(FILE), Path::new);
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            // The default file is optional; a file that the environment names is not.
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => String::new(),
            Err(source) => return Err(Error::Configuration { path: path.to_owned(), source }),
        };
        Settings::from(program, &text, path, |key| env::var_os(key))
    }

    fn from(
        program: &'static Program,
        text: &str,
        path: &Path,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Settings, Error> {
        let keys: Keys = toml::from_str(text)
            .map_err(|error| Error::Syntax { path: path.to_owned(), why: error.message().to_owned() })?;
        // An empty one counts as none, and does not hide the file's.
        let environment = |key: &str| environment(key).filter(|value| !value.is_empty());
        // A word, and where it stands, so that an error leads there.
        let word = |key: &str, in_file: Option<String>| {
            let given = environment(key).map(|value| (value.to_string_lossy().into_owned(), key.to_owned()));
            let written = in_file.filter(|word| !word.is_empty()).map(|word| {
                let key = key.trim_start_matches("XENSTREAM_").to_lowercase();
                (word, format!("{key} in {}", path.display()))
            });
            given.or(written)
        };
        let wrong = |place, value, choices| Error::Setting { place, value, choices };

        let profile = match word("XENSTREAM_PROFILE", keys.profile) {
            None => Profile::Hardened,
            Some((name, place)) => Profile::all()
                .find(|profile| profile.name() == name)
                .ok_or_else(|| wrong(place, name, "spec, restore or hardened"))?,
        };
        let mode = match word("XENSTREAM_MODE", keys.mode) {
            None => Mode::Enforce,
            Some((name, place)) => match &*name {
                "enforce" => Mode::Enforce,
                "warn" => Mode::Warn,
                _ => return Err(wrong(place, name, "enforce or warn")),
            },
        };
        let target = match word("XENSTREAM_TARGET", keys.target) {
            None => TargetChoice::Auto,
            Some((name, _)) if name == "auto" => TargetChoice::Auto,
            Some((name, _)) if name == "none" => TargetChoice::None,
            Some((value, place)) => match value.parse() {
                Ok(target) => TargetChoice::Release(target),
                Err(source) => return Err(Error::Target { place, value, source }),
            },
        };
        let file = |key: &str, in_file: Option<PathBuf>| {
            environment(key).map(PathBuf::from).or(in_file).filter(|path| !path.as_os_str().is_empty())
        };
        let report = file("XENSTREAM_REPORT", keys.report).map(Destination::from);
        let in_file = match program.real_variable {
            SAVE_HELPER_REAL => keys.save_helper_real,
            XENGUEST_REAL => keys.xenguest_real,
            _ => None,
        };
        let real = file(program.real_variable, in_file);
        Ok(Settings { program, real, profile, mode, report, target })
    }

    /// What a stream is verified against.
    #[must_use]
    pub fn options(&self, operation: Operation) -> Options {
        // the toolstack's own records go on after the libxc stream in a file as they do on a pipe; and what it
        // calls plain is plain.
        let mut policy = Policy::new(self.profile)
            .with_checkpointing(Checkpointing::Plain)
            .with_target(self.target.target(operation));
        lower(&mut policy, Rule::StreamTrailingData, Level::Allow);
        lower(&mut policy, Rule::StreamTrailingZeros, Level::Allow);
        Options::new(policy).with_format(Format::Libxc).with_decompression(false)
    }

    /// The same, with a warning in place of a refusal wherever the stream can be read on.
    #[must_use]
    pub fn lenient_options(&self, operation: Operation) -> Options {
        let mut options = self.options(operation);
        // What only the target refuses is at deny under rules that are not.
        if let Some(target) = options.policy.target() {
            for rule in Fact::all().filter(|fact| target.refuses(*fact)).flat_map(|fact| fact.entry().rules) {
                lower(&mut options.policy, *rule, Level::Warn);
            }
        }
        for rule in Rule::all() {
            if options.policy.level(rule) == Level::Deny && !rule.is_structural() {
                lower(&mut options.policy, rule, Level::Warn);
            }
        }
        options
    }
}

/// Lowers a rule. A structural rule stays at deny.
fn lower(policy: &mut Policy, rule: Rule, level: Level) {
    if let Ok(lowered) = policy.clone().with_level(rule, level) {
        *policy = lowered;
    }
}

impl From<PathBuf> for Destination {
    /// `syslog`, `syslog:SOCKET` or a file.
    fn from(path: PathBuf) -> Destination {
        match path.to_str() {
            Some("syslog") => Destination::Syslog(PathBuf::from("/dev/log")),
            Some(name) if name.starts_with("syslog:") => {
                Destination::Syslog(PathBuf::from(&name["syslog:".len()..]))
            }
            _ => Destination::File(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program =
        Program { name: "guard", real: "the helper", real_variable: SAVE_HELPER_REAL, mark: "MARK" };

    const ALL: &str = r#"
        save_helper_real = "/opt/helper"
        xenguest_real = "/opt/xenguest"
        profile = "restore"
        mode = "warn"
        report = "/var/log/xenstream.json"
        target = "4.17.5"
    "#;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let value =
            |key: &str| environment.iter().find(|(name, _)| *name == key).map(|(_, value)| value.into());
        Settings::from(&PROGRAM, text, Path::new("test.toml"), value).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_word_streams_are_held_to_hardened() {
        let settings = Settings {
            program: &PROGRAM,
            real: None,
            profile: Profile::Hardened,
            mode: Mode::Enforce,
            report: None,
            target: TargetChoice::Auto,
        };
        assert_eq!(read("", &[]).unwrap(), settings);
        assert_eq!(read("", &[("XENSTREAM_MODE", ""), ("XENSTREAM_REPORT", "")]).unwrap(), settings);
        assert_eq!(read("[watch]\ndirectories = ['/images']", &[]).unwrap(), settings);
        let empty = "save_helper_real = \"\"\nprofile = \"\"\nmode = \"\"\nreport = \"\"";
        assert_eq!(read(empty, &[]).unwrap(), settings);
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let in_file = Settings {
            program: &PROGRAM,
            real: Some("/opt/helper".into()),
            profile: Profile::Restore,
            mode: Mode::Warn,
            report: Some(Destination::File("/var/log/xenstream.json".into())),
            target: TargetChoice::Release("4.17.5".parse().unwrap()),
        };
        assert_eq!(read(ALL, &[]).unwrap(), in_file);
        let environment = [
            ("XENSTREAM_SAVE_HELPER_REAL", "/usr/bin/other"),
            ("XENSTREAM_PROFILE", "spec"),
            ("XENSTREAM_MODE", "enforce"),
            ("XENSTREAM_REPORT", "syslog"),
            ("XENSTREAM_TARGET", "none"),
        ];
        let in_environment = Settings {
            program: &PROGRAM,
            real: Some("/usr/bin/other".into()),
            profile: Profile::Spec,
            mode: Mode::Enforce,
            report: Some(Destination::Syslog("/dev/log".into())),
            target: TargetChoice::None,
        };
        assert_eq!(read(ALL, &environment).unwrap(), in_environment);
        let elsewhere = read("", &[("XENSTREAM_REPORT", "syslog:/run/log")]).unwrap();
        assert_eq!(elsewhere.report, Some(Destination::Syslog("/run/log".into())));
    }

    #[test]
    fn unknown_settings_are_errors() {
        for (text, environment, reported) in [
            ("profil = \"spec\"", None, "profil"),
            ("profile = spec", None, "test.toml"),
            ("profile = \"lenient\"", None, "profile in test.toml is \"lenient\""),
            ("mode = \"off\"", None, "mode in test.toml is \"off\""),
            ("", Some(("XENSTREAM_MODE", "off")), "XENSTREAM_MODE is \"off\""),
            ("target = \"4.23\"", None, "target in test.toml is \"4.23\""),
            ("", Some(("XENSTREAM_TARGET", "4.20.9")), "the nearest are 4.20.2, 4.20.3, 4.20.4"),
        ] {
            let message = read(text, environment.as_slice()).unwrap_err();
            assert!(message.contains(reported) && !message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn lenient_policies_still_refuse_broken_framing() {
        let settings = read("", &[("XENSTREAM_TARGET", "4.13.0")]).unwrap();
        let options = settings.lenient_options(Operation::Restore);
        assert_eq!(options.policy.level(Rule::HvmLapicLength), Level::Warn);
        for rule in Rule::all() {
            assert_eq!(options.policy.level(rule) == Level::Deny, rule.is_structural(), "{rule}");
        }
        assert_eq!(options.policy.level(Rule::StreamTrailingData), Level::Allow);
    }
}
