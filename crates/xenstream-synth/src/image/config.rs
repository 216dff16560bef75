//! The guest's configuration, as each container has it.

use serde_json::json;

use super::Shape;
use crate::valid::Machine;

/// Fields that all containers have.
struct Identity {
    name: String,
    uuid: String,
    memory_kib: u64,
}

impl Identity {
    fn of(shape: &Shape) -> Identity {
        let mut random = fastrand::Rng::with_seed(shape.seed);
        let mut uuid = [0; 16];
        random.fill(&mut uuid);
        // Version 4, of RFC 9562.
        uuid[6] = uuid[6] & 0x0F | 0x40;
        uuid[8] = uuid[8] & 0x3F | 0x80;
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (a, b, c, d, e) = (&uuid[..4], &uuid[4..6], &uuid[6..8], &uuid[8..10], &uuid[10..]);
        Identity {
            name: format!("synth-{}", shape.seed),
            uuid: [a, b, c, d, e].map(hex).join("-"),
            memory_kib: shape.memory >> 10,
        }
    }
}

/// libxl's JSON, without its NUL.
pub(super) fn xl(shape: &Shape) -> String {
    let Identity { name, uuid, memory_kib } = Identity::of(shape);
    let vcpus = shape.vcpus;
    let mut build = json!({
        "max_vcpus": vcpus,
        "avail_vcpus": (0..vcpus).collect::<Vec<_>>(),
        "max_memkb": memory_kib,
        "target_memkb": memory_kib,
        "video_memkb": 0,
    });
    let kind = match shape.machine {
        Machine::Pv64 | Machine::Pv32 => "pv",
        Machine::Hvm => {
            build["device_model_version"] = json!("qemu_xen");
            "hvm"
        }
        Machine::Pvh => "pvh",
    };
    build[format!("type.{kind}")] = json!({});
    let config = json!({
        "c_info": { "type": kind, "name": name, "uuid": uuid },
        "b_info": build,
        "on_reboot": "restart",
        "on_crash": "destroy",
    });
    format!("{config:#}")
}

/// libvirt's XML, without its NUL.
pub(super) fn libvirt(shape: &Shape) -> String {
    let Identity { name, uuid, memory_kib } = Identity::of(shape);
    let kind = match shape.machine {
        Machine::Pv64 => "<type arch='x86_64' machine='xenpv'>linux</type>",
        Machine::Pv32 => "<type arch='i686' machine='xenpv'>linux</type>",
        Machine::Hvm => "<type arch='x86_64' machine='xenfv'>hvm</type>",
        Machine::Pvh => "<type arch='x86_64' machine='xenpvh'>xenpvh</type>",
    };
    let vcpus = shape.vcpus;
    format!(
        "<domain type='xen'>\n  <name>{name}</name>\n  <uuid>{uuid}</uuid>\n  \
         <memory unit='KiB'>{memory_kib}</memory>\n  <currentMemory unit='KiB'>{memory_kib}</currentMemory>\n  \
         <vcpu placement='static'>{vcpus}</vcpu>\n  <os>\n    {kind}\n  </os>\n</domain>\n"
    )
}

/// xenopsd's metadata.
pub(super) fn xenopsd(shape: &Shape) -> String {
    let Identity { name, uuid, .. } = Identity::of(shape);
    format!("((time 20240101T00:00:00Z)(word_size 64)(vm_str \"{uuid} {name}\"))")
}
