//! What emu-manager or xenopsd asks of xenguest.
//!
//! Source: `parse_options` of xenguest, which calls `getopt_long_only`.

use std::ffi::OsString;

use xenstream_guard::{Call, Operation};

/// What is asked of xenguest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// A stream to verify.
    Restore(Call),
    /// Commands for this domain on a control socket, of which one may be to restore it.
    Listen { domid: u32 },
    /// Perhaps a stream, but which one is not understood.
    Unknown,
    /// No stream to restore.
    Other,
}

/// Options with a value.
const VALUED: [&str; 19] = [
    "mode",
    "controlinfd",
    "controloutfd",
    "debuglog",
    "fd",
    "image",
    "cmdline",
    "ramdisk",
    "domid",
    "store_port",
    "store_domid",
    "console_port",
    "console_domid",
    "features",
    "flags",
    "mem_max_mib",
    "mem_start_mib",
    "mem_pnode",
    "module",
];
const VALUED_LATER: [&str; 2] = ["supports", "pci_passthrough"];
const FLAGS: [&str; 7] = ["fake", "live", "debug", "fork", "no_incr_generationid", "force", "vgpu"];

/// Options that decide about the stream. `getopt` takes the beginning of a name for the name.
const DECISIVE: [&str; 3] = ["mode", "fd", "domid"];

const RESTORING: [&str; 3] = ["restore", "hvm_restore", "listen"];

impl Task {
    /// Reads the arguments, without the program's name.
    pub(crate) fn parse(arguments: &[OsString]) -> Task {
        let words: Vec<&str> = arguments.iter().map(|word| word.to_str().unwrap_or("\u{fffd}")).collect();
        let may_restore = words.iter().any(|word| {
            let value = word.rsplit_once('=').map_or(*word, |(_, value)| value);
            RESTORING.contains(&value)
        });
        // Whatever an unknown option means, no call without one of these words restores anything.
        if !may_restore {
            return Task::Other;
        }
        let Some(Options { mode, stream, domid }) = Options::read(&words) else { return Task::Unknown };
        let domid = domid.and_then(|number| number.parse().ok());
        let stream = stream.and_then(|number| number.parse().ok()).filter(|number| *number >= 0);
        match (mode, domid, stream) {
            (Some("listen"), Some(domid), _) => Task::Listen { domid },
            (Some("restore" | "hvm_restore"), Some(domid), Some(stream)) => {
                Task::Restore(Call { operation: Operation::Restore, stream, domid })
            }
            (None, ..) => Task::Other,
            (Some(mode), ..) if !RESTORING.contains(&mode) => Task::Other,
            _ => Task::Unknown,
        }
    }
}

/// The options that decide about the stream. If one is repeated, the last counts.
#[derive(Default)]
struct Options<'a> {
    mode: Option<&'a str>,
    stream: Option<&'a str>,
    domid: Option<&'a str>,
}

impl<'a> Options<'a> {
    /// Reads the options, or returns `None` if they may mean something else to the real xenguest.
    fn read(words: &[&'a str]) -> Option<Options<'a>> {
        let mut options = Options::default();
        let mut words = words.iter().copied().peekable();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { continue };
            if word == "--" {
                break;
            }
            let (name, given) =
                name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
            if VALUED.contains(&name) || VALUED_LATER.contains(&name) {
                let value = given.or_else(|| words.next())?;
                match name {
                    "mode" => options.mode = Some(value),
                    "fd" => options.stream = Some(value),
                    "domid" => options.domid = Some(value),
                    _ => {}
                }
                continue;
            }
            let is_flag = FLAGS.contains(&name) && given.is_none();
            let is_abbreviation = DECISIVE.iter().any(|decisive| decisive.starts_with(name));
            // An unknown option may have a value, which would be the next word if that looks like no option.
            let may_take_an_option =
                given.is_none() && words.peek().is_some_and(|next| next.starts_with('-'));
            if !is_flag && (is_abbreviation || may_take_an_option) {
                return None;
            }
        }
        Some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Task {
        Task::parse(&line.split_terminator(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn emu_managers_listen() {
        for line in [
            "-debug -domid 7 -controloutfd 2 -controlinfd 0 -mode listen",
            "-debug -domid 7 -controloutfd 2 -controlinfd 0 -mode listen -mem_pnode 1",
            "-debug -domid 7 -controloutfd 2 -controlinfd 0 -mode listen -later true",
            "--mode=listen --domid=7",
        ] {
            assert_eq!(parse(line), Task::Listen { domid: 7 }, "{line}");
        }
    }

    #[test]
    fn a_stream_on_the_command_line_is_verified() {
        for line in [
            "-controloutfd 5 -controlinfd 6 -debuglog /tmp/log -mode hvm_restore -domid 7 -fd 9 -store_port 1 \
             -store_domid 0 -console_port 2 -console_domid 0 -fork true",
            "-mode restore -fd 9 -domid 7",
            "--mode=hvm_save -mode hvm_restore -fd=8 --fd 9 -domid 7",
            "-mode restore -fd 9 -domid 7 -- -mode hvm_save",
            "-mode restore stray -fd 9 -domid 7 -unknown",
        ] {
            let call = Call { operation: Operation::Restore, stream: 9, domid: 7 };
            assert_eq!(parse(line), Task::Restore(call), "{line}");
        }
    }

    #[test]
    fn all_else_passes() {
        for line in [
            "",
            "-mode hvm_build -image hvmloader -domid 7 -unknown -domid 8",
            "-mode hvm_save -fd 9 -domid 7 -live",
            "-mode save -fd 9 -domid 7",
            "-mode resume_slow -domid 7",
            "-supports migration-v2",
            "-mode linux_build -image listen -domid 7",
            "-image restore",
        ] {
            assert_eq!(parse(line), Task::Other, "{line}");
        }
    }

    #[test]
    fn a_possible_restore_is_unknown() {
        for line in [
            "-mode restore -domid 7",
            "-mode restore -fd 9",
            "-mode restore -fd -1 -domid 7",
            "-mode restore -fd x -domid 7",
            "-mode listen",
            "-mode listen -domid x",
            "-mod restore -fd 9 -domid 7",
            "-mode restore -f 9 -domid 7",
            "-unknown -mode restore -fd 9 -domid 7",
            "-mode restore -fd 9 -domid",
        ] {
            assert_eq!(parse(line), Task::Unknown, "{line}");
        }
    }
}
