//! Rules on the state of the device model.

macro_rules! qemu {
    ([$next:ident $($rest:ident)*] $($rows:tt)*) => { $next! { [$($rest)*] $($rows)*
    QemuShort "qemu::short" W D D
        field: 4, framing: kept, by: core
        title: "device state too short"
        refuses: "A state of QEMU upstream of fewer bytes than its header, one section and the end take."
        why: "QEMU stops at once, and the toolstack gives the restore up after it has moved all of the guest's memory. Most often the state was lost when the guest was saved."
        source: "QEMU, qemu_save_device_state() and qemu_loadvm_state()"
        message: "the device state is {found} bytes; header, one section and the end take {expected}"
    QemuMagic "qemu::magic" W D D
        field: 4, framing: kept, by: core
        title: "not a state of QEMU"
        refuses: "A state of QEMU upstream that does not begin with the letters QEVM."
        why: "QEMU takes it for something else and stops, and the toolstack gives the restore up after it has moved all of the guest's memory."
        source: "QEMU, qemu_loadvm_state(), QEMU_VM_FILE_MAGIC"
        message: "the device state begins with {found:x}, not with the letters QEVM ({expected:x})"
    QemuVersion "qemu::version" W D D
        field: 4, framing: kept, by: core
        title: "unknown version of QEMU's state"
        refuses: "A state of QEMU upstream of a version other than 3."
        why: "QEMU refuses every other version, and the toolstack gives the restore up after it has moved all of the guest's memory."
        source: "QEMU, qemu_loadvm_state(), QEMU_VM_FILE_VERSION"
        message: "the device state is of version {found}; QEMU reads {expected}"
    QemuFirstSection "qemu::first-section" W W D
        field: 1, framing: kept, by: core
        title: "unexpected first section of QEMU's state"
        refuses: "A state of QEMU upstream whose first section is not one with a device's whole state (type 4)."
        why: "Under Xen QEMU writes no other. A configuration (7) comes from a QEMU that was not started for Xen, and a part of memory (1) would be loaded over the guest's own."
        source: "QEMU, qemu_save_device_state(); QEMU's accelerator for Xen switches the configuration section off"
        message: "the first section of the device state is of type {found}, not {expected}"
    QemuName "qemu::name" W W D
        field: 1, framing: kept, by: core
        title: "impossible name of a device"
        refuses: "A first section of QEMU's state whose name is empty, does not fit, or is not printable ASCII."
        why: "QEMU finds no device of that name and stops, and the toolstack gives the restore up after it has moved all of the guest's memory."
        source: "QEMU, qemu_loadvm_section_start_full()"
        message: "the name of the first device is empty, too long or not printable: the byte found is {found:x}"
    QemuEnd "qemu::end" W W D
        field: 1, framing: kept, by: core
        title: "device state without an end"
        refuses: "A state of QEMU upstream whose last byte is not 0."
        why: "A section of that type is written last. Where it is missing the state was cut, or something was added to it."
        source: "QEMU, qemu_save_device_state(), QEMU_VM_EOF"
        message: "the last byte of the device state is {found:x}, not {expected}"
    } };
}
