//! The rules on the host that the configuration decides: memory, bridges and disks.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::Deserialize;
use serde_json::value::RawValue;
use xenstream_core::{Layer, Rule};

use super::Host;
use crate::config::xml_domain;

/// The script that connects a network interface to a bridge, unless the configuration names another.
const VIF_BRIDGE: &str = "vif-bridge";

/// A rule that a configuration breaks on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) rule: Rule,
    /// Bytes from the start of the text.
    pub(crate) at: usize,
    pub(crate) found: u64,
    pub(crate) expected: Option<u64>,
}

/// What of a configuration a host decides.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needs {
    /// Memory in KiB, and its place.
    memory: Option<(u64, usize)>,
    /// Number, name and place of the bridges that `vif-bridge` connects to.
    bridges: Vec<(u64, String, usize)>,
    /// Number, path and place of the disks that are files or devices of dom0.
    disks: Vec<(u64, String, usize)>,
}

/// Returns the rules that a configuration breaks, in the order of its text. `layer` says of which header it is.
pub(super) fn unfit(host: &Host, layer: Layer, text: &[u8]) -> Vec<Unfit> {
    let Ok(text) = std::str::from_utf8(text) else { return Vec::new() };
    let needs = match layer {
        Layer::Xl => of_json(text),
        Layer::Libvirt => of_xml(text),
        _ => None,
    };
    needs.map_or_else(Vec::new, |needs| needs.judged(host, host.is_here()))
}

impl Needs {
    fn judged(self, host: &Host, is_here: bool) -> Vec<Unfit> {
        let memory = self.memory.zip(host.memory.free_kib).filter(|((needed, _), free)| needed > free);
        let memory = memory.map(|((found, at), free)| Unfit {
            rule: Rule::HostMemory,
            at,
            found,
            expected: Some(free),
        });
        let lacks_bridge =
            |name: &String| host.interfaces.as_ref().is_some_and(|interfaces| !interfaces.contains(name));
        let bridges = self.bridges.into_iter().filter(|(_, name, _)| lacks_bridge(name));
        let bridges =
            bridges.map(|(found, _, at)| Unfit { rule: Rule::HostBridge, at, found, expected: None });
        let disks = self.disks.into_iter().filter(|(_, path, _)| host.has_disk(path, is_here) == Some(false));
        let disks = disks.map(|(found, _, at)| Unfit { rule: Rule::HostDisk, at, found, expected: None });
        let mut unfit: Vec<Unfit> = memory.into_iter().chain(bridges).chain(disks).collect();
        unfit.sort_by_key(|unfit| unfit.at);
        unfit
    }
}

/// The parts of libxl's JSON that a host decides. Values whose place is reported are left unparsed.
#[derive(Deserialize)]
struct DomainConfig<'a> {
    #[serde(borrow)]
    b_info: Option<BuildInfo<'a>>,
    #[serde(borrow, default)]
    nics: Vec<Nic<'a>>,
    #[serde(borrow, default)]
    disks: Vec<DiskConfig<'a>>,
}

#[derive(Deserialize)]
struct BuildInfo<'a> {
    #[serde(borrow)]
    max_memkb: Option<&'a RawValue>,
    #[serde(borrow)]
    target_memkb: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Nic<'a> {
    #[serde(borrow)]
    bridge: Option<&'a RawValue>,
    script: Option<String>,
    backend_domid: Option<u64>,
    backend_domname: Option<String>,
}

#[derive(Deserialize)]
struct DiskConfig<'a> {
    #[serde(borrow)]
    pdev_path: Option<&'a RawValue>,
    script: Option<String>,
    backend_domid: Option<u64>,
    backend_domname: Option<String>,
}

fn of_json(text: &str) -> Option<Needs> {
    let config: DomainConfig<'_> = serde_json::from_str(text).ok()?;
    // A raw value is a part of the text.
    let place = |raw: &RawValue| raw.get().as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    let number = |raw: &RawValue| raw.get().parse::<u64>().ok().filter(|number| *number != u64::MAX);
    let string =
        |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok().filter(|text| !text.is_empty());
    // Another domain than dom0 may serve the device.
    let is_ours = |id: Option<u64>, name: &Option<String>| id.unwrap_or(0) == 0 && name.is_none();
    let memory = config.b_info.and_then(|info| {
        let sizes = [info.target_memkb, info.max_memkb].into_iter().flatten();
        sizes.filter_map(|raw| Some((number(raw)?, place(raw)))).next()
    });
    let bridges = (0..).zip(config.nics).filter_map(|(n, nic)| {
        let script = nic.script.as_deref().unwrap_or(VIF_BRIDGE);
        let is_bridged = script.rsplit('/').next() == Some(VIF_BRIDGE);
        let raw = nic.bridge.filter(|_| is_bridged && is_ours(nic.backend_domid, &nic.backend_domname))?;
        Some((n, string(raw)?, place(raw)))
    });
    let disks = (0..).zip(config.disks).filter_map(|(n, disk)| {
        // To a script, the path may be anything.
        let is_path = disk.script.is_none() && is_ours(disk.backend_domid, &disk.backend_domname);
        let raw = disk.pdev_path.filter(|_| is_path)?;
        Some((n, string(raw).filter(|path| path.starts_with('/'))?, place(raw)))
    });
    Some(Needs { memory, bridges: bridges.collect(), disks: disks.collect() })
}

/// An interface or a disk of libvirt's XML that is being read.
#[derive(Default)]
struct Open {
    is_interface: bool,
    /// The bridge, or the path; and its place.
    source: Option<(String, usize)>,
    /// A script other than `vif-bridge`, or another domain, is in charge of the device.
    is_foreign: bool,
}

fn of_xml(text: &str) -> Option<Needs> {
    let mut needs = Needs::default();
    let mut reader = Reader::from_str(text);
    let (mut interfaces, mut disks) = (0, 0);
    let mut depth = 0u64;
    let mut open: Option<Open> = None;
    loop {
        let at = usize::try_from(reader.buffer_position()).ok()?;
        let event = reader.read_event().ok()?;
        match &event {
            Event::Start(tag) | Event::Empty(tag) => {
                let is_start = matches!(event, Event::Start(_));
                depth += u64::from(is_start);
                let level = depth + u64::from(!is_start);
                let name = tag.name();
                match (level, name.as_ref()) {
                    (2, "memory") => {
                        let kib = xml_domain(text.as_bytes()).and_then(|domain| domain.memory_kib);
                        needs.memory = kib.map(|kib| (kib, at));
                    }
                    (3, device @ ("interface" | "disk")) if is_start => {
                        open = Some(Open { is_interface: device == "interface", ..Open::default() });
                    }
                    (4, element) => {
                        if let Some(open) = &mut open {
                            open.element(element, tag, at);
                        }
                    }
                    _ => {}
                }
            }
            Event::End(_) => {
                if depth == 3
                    && let Some(Open { is_interface, source, is_foreign }) = open.take()
                {
                    let (count, list) = if is_interface {
                        (&mut interfaces, &mut needs.bridges)
                    } else {
                        (&mut disks, &mut needs.disks)
                    };
                    let source = source.filter(|_| !is_foreign);
                    list.extend(source.map(|(name, at)| (*count, name, at)));
                    *count += 1;
                }
                depth = depth.saturating_sub(1);
            }
            Event::Eof => return Some(needs),
            _ => {}
        }
    }
}

impl Open {
    fn element(&mut self, name: &str, tag: &BytesStart<'_>, at: usize) {
        let attribute = |key: &str| {
            let attribute = tag.try_get_attribute(key).ok().flatten()?;
            quick_xml::escape::unescape(&attribute.value).ok().map(std::borrow::Cow::into_owned)
        };
        match name {
            "source" if self.is_interface => {
                self.source = attribute("bridge").map(|bridge| (bridge, at));
            }
            "source" => {
                let path = attribute("file").or_else(|| attribute("dev"));
                self.source = path.filter(|path| path.starts_with('/')).map(|path| (path, at));
            }
            "script" if self.is_interface => {
                let script = attribute("path").unwrap_or_default();
                self.is_foreign |= script.rsplit('/').next() != Some(VIF_BRIDGE);
            }
            "backenddomain" => self.is_foreign = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Disks, Memory};

    const JSON: &str = r#"{"b_info": {"max_memkb": 2048, "target_memkb": 1024},
        "nics": [{"devid": 0}, {"bridge": "xenbr0"}, {"bridge": "ovs0", "script": "vif-openvswitch"},
                 {"bridge": "br\u0031", "script": "/etc/xen/scripts/vif-bridge"}, {"bridge": "x", "backend_domid": 3}],
        "disks": [{"pdev_path": "/images/a"}, {"pdev_path": "10.0.0.1:x", "script": "block-iscsi"}, {"pdev_path": ""},
                  {"pdev_path": "/images/b"}]}"#;

    const XML: &str = "<domain><memory unit='MiB'>1</memory><devices>\
        <disk><source file='/images/a'/></disk><disk><source dev='/images/b'/></disk><disk type='network'><source name='x'/></disk>\
        <interface><source bridge='xenbr0'/><script path='vif-bridge'/></interface>\
        <interface><source bridge='ovs0'/><script path='vif-openvswitch'/></interface>\
        <interface><source bridge='br1'/></interface></devices></domain>";

    fn at(text: &str, part: &str) -> usize {
        text.find(part).unwrap()
    }

    fn host() -> Host {
        Host {
            memory: Memory { total_kib: None, free_kib: Some(1023) },
            interfaces: Some(vec!["xenbr0".to_owned()]),
            disks: Disks { directories: vec!["/images".to_owned()], paths: vec!["/images/a".to_owned()] },
            ..Host::default()
        }
    }

    #[test]
    fn what_json_needs_is_located() {
        let unfit = unfit(&host(), Layer::Xl, JSON.as_bytes());
        let found: Vec<_> = unfit.iter().map(|unfit| (unfit.rule, unfit.at, unfit.found)).collect();
        let expected = [
            (Rule::HostMemory, at(JSON, "1024"), 1024),
            (Rule::HostBridge, at(JSON, "\"br\\u0031"), 3),
            (Rule::HostDisk, at(JSON, "\"/images/b"), 3),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_xml_needs_is_located() {
        let unfit = unfit(&host(), Layer::Libvirt, XML.as_bytes());
        let found: Vec<_> = unfit.iter().map(|unfit| (unfit.rule, unfit.at, unfit.found)).collect();
        let expected = [
            (Rule::HostMemory, at(XML, "<memory"), 1024),
            (Rule::HostDisk, at(XML, "<source dev"), 1),
            (Rule::HostBridge, at(XML, "<source bridge='br1'"), 2),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_unknown_is_not_judged() {
        let host = Host::default();
        assert_eq!(unfit(&host, Layer::Xl, JSON.as_bytes()), []);
        assert_eq!(unfit(&host, Layer::Libvirt, XML.as_bytes()), []);
        for odd in ["", "[]", "{}", r#"{"b_info": {"target_memkb": "x"}, "nics": 1}"#, "<domain>"] {
            assert_eq!(unfit(&self::host(), Layer::Xl, odd.as_bytes()), [], "{odd}");
            assert_eq!(unfit(&self::host(), Layer::Libvirt, odd.as_bytes()), [], "{odd}");
        }
    }
}
