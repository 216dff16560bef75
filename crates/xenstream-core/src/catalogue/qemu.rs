//! Rules on the state of the device model.

macro_rules! qemu {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    QemuShort "qemu::short" W D D
        field: 4, framing: kept, by: core
        title: "device state too short"
        refuses: "Upstream QEMU state that is too short for a header, one section and an end."
        why: "QEMU stops at once, and the toolstack abandons the restore after all memory has been transferred. Most often, the state was lost when the guest was saved."
        source: "QEMU, qemu_save_device_state() and qemu_loadvm_state()"
        message: "the device state has {found} bytes; a header, one section and an end need {expected}"
    QemuMagic "qemu::magic" W D D
        field: 4, framing: kept, by: core
        title: "not QEMU state"
        refuses: "Upstream QEMU state that does not begin with the letters QEVM."
        why: "QEMU does not recognise its state and stops, and the toolstack abandons the restore after all memory has been transferred."
        source: "QEMU, qemu_loadvm_state(), QEMU_VM_FILE_MAGIC"
        message: "the device state begins with {found:x}, not with the letters QEVM ({expected:x})"
    QemuVersion "qemu::version" W D D
        field: 4, framing: kept, by: core
        title: "unknown version of QEMU's state"
        refuses: "Upstream QEMU state of a version other than 3."
        why: "QEMU refuses every other version, and the toolstack abandons the restore after all memory has been transferred."
        source: "QEMU, qemu_loadvm_state(), QEMU_VM_FILE_VERSION"
        message: "the device state has version {found}; QEMU reads version {expected}"
    QemuFirstSection "qemu::first-section" W D D
        field: 1, framing: kept, by: core
        title: "unexpected first section of QEMU's state"
        refuses: "Upstream QEMU state whose first section is neither the full state of a device (type 4) nor the start of a larger one (type 1)."
        why: "QEMU does not know such a section there and stops, and the toolstack abandons the restore after all memory has been transferred. A configuration section (7) comes from a QEMU that was not started for Xen."
        source: "QEMU, qemu_loadvm_state_main(); QEMU's accelerator for Xen switches the configuration section off"
        message: "the first section of the device state has type {found}, not {expected}"
    QemuMemorySection "qemu::memory-section" W W D
        field: 1, framing: kept, by: core
        title: "QEMU's state with a section for memory"
        refuses: "Upstream QEMU state whose first section is the start of a larger one (type 1)."
        why: "Under Xen, QEMU writes the full state of devices only. It writes its other states, of which memory is one, in such sections, and one for memory would overwrite the guest's."
        source: "QEMU, qemu_save_device_state(), qemu_loadvm_state_main()"
        message: "the first section of the device state has type {found}, not {expected}"
    QemuName "qemu::name" W D D
        field: 1, framing: kept, by: core
        title: "impossible device name"
        refuses: "A first section of QEMU state whose device name is empty, too long, or not printable ASCII."
        why: "QEMU has no device of that name and stops, and the toolstack abandons the restore after all memory has been transferred."
        source: "QEMU, qemu_loadvm_section_start_full()"
        message: "the name of the first device is empty, too long, or not printable: found byte {found:x}"
    QemuEnd "qemu::end" W W D
        field: 1, framing: kept, by: core
        title: "device state without an end"
        refuses: "Upstream QEMU state whose last byte is not 0."
        why: "The end marker is the last byte. If it is missing, the state was cut short, or something was appended."
        source: "QEMU, qemu_save_device_state(), QEMU_VM_EOF"
        message: "the last byte of the device state is {found:x}, not {expected}"
    } };
}
