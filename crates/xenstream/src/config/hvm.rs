//! What libxl's JSON says of an HVM guest that its stream has to agree with.

use serde::Deserialize;
use xenstream_core::wire::libxl::{EMULATOR_QEMU, EMULATOR_TRADITIONAL};

use crate::config::Settings;

#[derive(Deserialize)]
struct Config {
    c_info: Option<CreateInfo>,
    b_info: Option<BuildInfo>,
}

#[derive(Deserialize)]
struct CreateInfo {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct BuildInfo {
    device_model_version: Option<String>,
    max_memkb: Option<u64>,
    target_memkb: Option<u64>,
    video_memkb: Option<u64>,
    #[serde(rename = "type.hvm")]
    hvm: Option<HvmInfo>,
}

/// Enlightenments are numbers (`libxl_viridian_enlightenment`).
#[derive(Default, Deserialize)]
struct HvmInfo {
    viridian: Option<String>,
    #[serde(default)]
    viridian_enable: Vec<u32>,
    #[serde(default)]
    viridian_disable: Vec<u32>,
}

/// The enlightenments that a guest with `viridian` set has: base, freq, time_ref_count, apic_assist and crash_ctl, and
/// since 4.15 no_vp_limit and cpu_hotplug.
const DEFAULTS: [u64; 2] = [0x67, 0x1867];
/// The group that all others take for granted.
const BASE: u64 = 1 << 0;
/// It is on by default, so the parameter says where it is off.
const FREQ: u64 = 1 << 1;

/// What a configuration says of an HVM guest; nothing where it is not of one, or not as libxl writes it.
pub(crate) fn settings(json: &[u8]) -> Settings {
    let Ok(Config { c_info: Some(CreateInfo { kind: Some(kind) }), b_info: Some(info) }) =
        serde_json::from_slice::<Config>(json)
    else {
        return Settings::default();
    };
    let memory = if kind == "pv" { None } else { info.memory() };
    if kind != "hvm" {
        return Settings { memory, ..Settings::default() };
    }
    let emulator = match info.device_model_version.as_deref() {
        Some("qemu_xen") => Some(EMULATOR_QEMU),
        Some("qemu_xen_traditional") => Some(EMULATOR_TRADITIONAL),
        // Such a guest was what is PVH today.
        Some("none") => return Settings { memory, ..Settings::default() },
        _ => None,
    };
    let hvm = info.hvm.unwrap_or_default();
    let [old, new] = DEFAULTS.map(|defaults| hvm.viridian(defaults));
    Settings { viridian: old.zip(new).map(|(old, new)| [old, new]), emulator, memory }
}

impl BuildInfo {
    /// Pages that the guest is to have, where the balloon has not to give some up.
    fn memory(&self) -> Option<u64> {
        // libxl leaves a size that was not set at all ones.
        let set = |size: Option<u64>| size.filter(|size| *size != u64::MAX);
        let target = set(self.target_memkb)?.min(set(self.max_memkb)?);
        Some(target.saturating_sub(set(self.video_memkb).unwrap_or(0)) / 4)
    }
}

impl HvmInfo {
    /// The value of parameter 9, by libxl's `hvm_set_viridian_features()`; `None` where libxl fails.
    fn viridian(&self, defaults: u64) -> Option<u64> {
        let bits =
            |groups: &[u32]| groups.iter().try_fold(0, |bits, group| Some(bits | 1u64.checked_shl(*group)?));
        let (enable, disable) = (bits(&self.viridian_enable)?, bits(&self.viridian_disable)?);
        let defaults = match self.viridian.as_deref() {
            Some("True") => defaults,
            None | Some("False" | "<default>") => 0,
            Some(_) => return None,
        };
        let groups = (defaults | enable) & !disable;
        let fails = enable & disable != 0 || groups != 0 && groups & BASE == 0;
        (!fails).then_some(if groups == 0 { 0 } else { groups ^ FREQ })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viridian(hvm: &str) -> Option<[u64; 2]> {
        let json = format!(r#"{{"c_info": {{"type": "hvm"}}, "b_info": {{"type.hvm": {hvm}}}}}"#);
        settings(json.as_bytes()).viridian
    }

    #[test]
    fn viridian_is_read_as_libxl_does() {
        for (hvm, features) in [
            ("{}", Some([0, 0])),
            (r#"{"viridian": "True"}"#, Some([0x65, 0x1865])),
            (r#"{"viridian": "False"}"#, Some([0, 0])),
            (r#"{"viridian": "False", "viridian_enable": [0, 2]}"#, Some([7, 7])),
            (r#"{"viridian_enable": [0, 1, 3]}"#, Some([9, 9])),
            (r#"{"viridian": "True", "viridian_disable": [1, 11, 12]}"#, Some([0x67, 0x67])),
            (r#"{"viridian_enable": [3]}"#, None),
            (r#"{"viridian": "True", "viridian_enable": [3], "viridian_disable": [3]}"#, None),
            (r#"{"viridian_enable": [64]}"#, None),
            (r#"{"viridian": true}"#, None),
        ] {
            assert_eq!(viridian(hvm), features, "{hvm}");
        }
    }

    #[test]
    fn emulators_are_those_of_hvm_guests() {
        let emulator = |kind, version| {
            let json = format!(
                r#"{{"c_info": {{"type": "{kind}"}}, "b_info": {{"device_model_version": "{version}"}}}}"#
            );
            settings(json.as_bytes()).emulator
        };
        assert_eq!(emulator("hvm", "qemu_xen"), Some(EMULATOR_QEMU));
        assert_eq!(emulator("hvm", "qemu_xen_traditional"), Some(EMULATOR_TRADITIONAL));
        assert_eq!(emulator("hvm", "unknown"), None);
        assert_eq!(emulator("hvm", "none"), None);
        assert_eq!(emulator("pvh", "qemu_xen"), None);
        assert_eq!(settings(b"{}"), Settings::default());
    }

    #[test]
    fn memory_is_what_the_guest_has_now() {
        let memory = |kind, sizes| {
            let json = format!(r#"{{"c_info": {{"type": "{kind}"}}, "b_info": {{{sizes}}}}}"#);
            settings(json.as_bytes()).memory
        };
        let sizes = r#""max_memkb": 8192, "target_memkb": 4096, "video_memkb": 1024"#;
        assert_eq!(
            (memory("hvm", sizes), memory("pvh", sizes), memory("pv", sizes)),
            (Some(768), Some(768), None)
        );
        assert_eq!(memory("hvm", r#""max_memkb": 8192"#), None);
        let unset = r#""max_memkb": 8192, "target_memkb": 18446744073709551615"#;
        assert_eq!(memory("hvm", unset), None);
    }
}
