//! Registers of vcpus, as debuggers know them, from X86_PV_VCPU_BASIC and from the CPU entries of HVM_CONTEXT.

use xenstream_core::wire::Order;
use xenstream_core::wire::hvm::cpu;
use xenstream_core::wire::layout::Layout;
use xenstream_core::wire::libxc::vcpu;
use xenstream_core::wire::pv;

/// A vcpu's state as the stream has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Saved {
    /// The entry CPU of HVM_CONTEXT.
    Hvm(Vec<u8>),
    /// The blob of X86_PV_VCPU_BASIC.
    Pv(Vec<u8>),
}

/// The registers of a vcpu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Registers {
    /// `user_regs_struct` of Linux on x86-64, in its order: what NT_PRSTATUS holds.
    pub(super) general: [u64; GENERAL.len()],
    /// What a processor has besides, of an HVM guest.
    pub(super) system: Option<System>,
}

/// Segments and control registers of an HVM vcpu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct System {
    /// In the order of [`SEGMENTS`].
    pub(super) segments: [Segment; SEGMENTS.len()],
    /// CR0, none, CR2, CR3, CR4.
    pub(super) control: [u64; 5],
    /// The base that SWAPGS exchanges.
    pub(super) kernel_gs_base: u64,
}

/// A segment register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) selector: u32,
    pub(super) limit: u32,
    /// Access rights, packed as in a VMCB: 12 bits.
    pub(super) rights: u32,
    pub(super) base: u64,
}

/// The general registers by their names in CPU and BASIC. `None` is `orig_rax`: no system call is under way.
const GENERAL: [Option<&str>; 27] = [
    Some("r15"),
    Some("r14"),
    Some("r13"),
    Some("r12"),
    Some("rbp"),
    Some("rbx"),
    Some("r11"),
    Some("r10"),
    Some("r9"),
    Some("r8"),
    Some("rax"),
    Some("rcx"),
    Some("rdx"),
    Some("rsi"),
    Some("rdi"),
    None,
    Some("rip"),
    Some("cs"),
    Some("rflags"),
    Some("rsp"),
    Some("ss"),
    Some("fs_base"),
    Some("gs_base"),
    Some("ds"),
    Some("es"),
    Some("fs"),
    Some("gs"),
];

/// The segments by the start of their fields' names in CPU.
pub(super) const SEGMENTS: [&str; 10] = ["cs", "ds", "es", "fs", "gs", "ss", "ldtr", "tr", "gdtr", "idtr"];

/// What stands for a system call's number where none is under way.
const NO_CALL: u64 = u64::MAX;

impl Saved {
    /// The registers.
    pub(super) fn registers(&self) -> Registers {
        match self {
            Saved::Hvm(bytes) => hvm(&|name| value(&cpu::CPU, bytes, name)),
            Saved::Pv(blob) if blob.len() as u64 == vcpu::BASIC_32 => {
                pv32(&|name| value(&pv::BASIC_32, blob, name))
            }
            Saved::Pv(blob) => pv64(&|name| value(&pv::BASIC_64, blob, name)),
        }
    }
}

/// The value of a declared field; zero where the bytes end in front of it.
fn value(layout: &Layout, bytes: &[u8], name: &str) -> u64 {
    let mut fields = layout.groups.iter().flat_map(|group| group.fields);
    let field = fields.find(|field| field.name == name);
    field.and_then(|field| field.value(bytes, Order::Little)).unwrap_or(0)
}

fn hvm(value: &dyn Fn(&str) -> u64) -> Registers {
    let general = GENERAL.map(|name| match name {
        None => NO_CALL,
        Some(name @ ("cs" | "ds" | "es" | "fs" | "gs" | "ss")) => value(&format!("{name}_sel")),
        Some(name) => value(name),
    });
    let segments = SEGMENTS.map(|name| Segment {
        selector: value(&format!("{name}_sel")) as u32,
        limit: value(&format!("{name}_limit")) as u32,
        rights: value(&format!("{name}_arbytes")) as u32,
        base: value(&format!("{name}_base")),
    });
    let control = [value("cr0"), 0, value("cr2"), value("cr3"), value("cr4")];
    Registers { general, system: Some(System { segments, control, kernel_gs_base: value("shadow_gs") }) }
}

fn pv64(value: &dyn Fn(&str) -> u64) -> Registers {
    // The base that is in use depends on the mode; the other one waits for SWAPGS.
    let in_kernel = value("flags") & vcpu::IN_KERNEL != 0;
    let general = GENERAL.map(|name| match name {
        None => NO_CALL,
        Some("gs_base") if in_kernel => value("gs_base_kernel"),
        Some("gs_base") => value("gs_base_user"),
        Some(name) => value(name),
    });
    Registers { general, system: None }
}

fn pv32(value: &dyn Fn(&str) -> u64) -> Registers {
    let general = GENERAL.map(|name| match name {
        None => NO_CALL,
        Some("rflags") => value("eflags"),
        // A 32-bit guest has no more than the first eight, and no bases of its own.
        Some(name) => match name.strip_prefix('r') {
            Some(rest) => value(&format!("e{rest}")),
            None => value(name),
        },
    });
    Registers { general, system: None }
}

#[cfg(test)]
mod tests {
    use xenstream_synth::{Basic, hvm};

    use super::*;

    fn general(saved: &Saved, name: &str) -> u64 {
        let registers = saved.registers();
        let index = GENERAL.iter().position(|known| *known == Some(name)).unwrap();
        registers.general[index]
    }

    #[test]
    fn every_declared_register_is_found() {
        let named = |layout: &Layout, name: &str| {
            layout.groups.iter().flat_map(|group| group.fields).any(|field| field.name == name)
        };
        for name in SEGMENTS {
            assert!(named(&cpu::CPU, &format!("{name}_base")) && named(&cpu::CPU, &format!("{name}_limit")));
        }
        for name in GENERAL.into_iter().flatten() {
            let selector = format!("{name}_sel");
            assert!(named(&cpu::CPU, name) || named(&cpu::CPU, &selector), "{name}");
            assert!(named(&pv::BASIC_64, name) || name == "gs_base", "{name}");
        }
    }

    #[test]
    fn hvm_registers_are_those_of_cpu() {
        let entry = hvm::Entry::reset(2, 0).with("rip", 0x1234).with("cs_sel", 0x10).with("cr3", 0x5000);
        let entry = entry.with("idtr_base", 0xFFFF_0000).with("cs_arbytes", 0xA9B);
        let saved = Saved::Hvm(entry.bytes()[8..].to_vec());
        assert_eq!((general(&saved, "rip"), general(&saved, "cs")), (0x1234, 0x10));
        let system = saved.registers().system.unwrap();
        assert_eq!((system.control[3], system.segments[9].base), (0x5000, 0xFFFF_0000));
        assert_eq!(system.segments[0].rights, 0xA9B);
        // A vcpu of an old Xen, and one that is cut off.
        assert_eq!(Saved::Hvm(vec![0; 3]).registers().general[0], 0);
    }

    #[test]
    fn pv_registers_are_those_of_basic() {
        let wide = Basic::pv64().word(648, 0xFFFF_FFFF_8100_0000).word(5152, 7).word(5160, 9);
        let kernel = Saved::Pv(wide.clone().flags(4).bytes().to_vec());
        let user = Saved::Pv(wide.flags(0).bytes().to_vec());
        assert_eq!(general(&kernel, "rip"), 0xFFFF_FFFF_8100_0000);
        assert_eq!((general(&kernel, "gs_base"), general(&user, "gs_base")), (7, 9));
        let narrow = Basic::pv32().word(548, 0xC000_1000).word(556, 0x202).word(540, 5);
        let narrow = Saved::Pv(narrow.bytes().to_vec());
        let [rip, rflags, rax, r8] = ["rip", "rflags", "rax", "r8"].map(|name| general(&narrow, name));
        assert_eq!((rip, rflags, rax, r8), (0xC000_1000, 0x202, 5, 0));
    }
}
