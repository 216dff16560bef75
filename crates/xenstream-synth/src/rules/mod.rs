//! For each rule a case that breaks it, and ways to break it in any stream, in files with the names of those in
//! `verify` that check it.
//!
//! In each file `cases` makes the [cases](crate::cases), with helpers that take a base and what is changed in it, and
//! `BREAKS` is its part of [the table](crate::broken::breaks) of ways to break a stream that a plan builds. A rule that
//! compares a field with a constant needs none: [`tables`] finds it.

mod config;
mod detect;
mod end;
mod host;
mod hvm;
mod libvirt;
mod libxc;
mod libxl;
mod memory;
mod pages;
mod params;
mod places;
mod policies;
mod pv;
mod pv_types;
mod qemu;
mod registers;
mod tables;
mod vcpu;
mod xenopsd;
mod xenstore;
mod xl;

use crate::broken::Break;
use crate::cases::Case;

/// Every case, by layer.
pub(crate) fn cases() -> Vec<Case> {
    [
        detect::cases(),
        end::cases(),
        xl::cases(),
        config::cases(),
        libvirt::cases(),
        xenopsd::cases(),
        libxl::cases(),
        xenstore::cases(),
        libxl::checkpoints(),
        libxc::cases(),
        places::cases(),
        registers::pv_info(),
        pages::cases(),
        memory::cases(),
        registers::cases(),
        params::cases(),
        policies::cases(),
        hvm::cases(),
        pv::cases(),
        vcpu::registers(),
        qemu::cases(),
        vcpu::cases(),
        pv_types::cases(),
        host::cases(),
    ]
    .concat()
}

/// Every way to break every rule, by layer.
pub(crate) fn breaks() -> impl Iterator<Item = Break> {
    BREAKS.iter().copied().flatten().copied().chain(tables::breaks())
}

/// What the tables of the structures do not tell.
const BREAKS: &[&[Break]] = &[
    detect::BREAKS,
    end::BREAKS,
    xl::BREAKS,
    config::BREAKS,
    libvirt::BREAKS,
    xenopsd::BREAKS,
    libxl::BREAKS,
    xenstore::BREAKS,
    libxc::BREAKS,
    places::BREAKS,
    registers::BREAKS,
    pages::BREAKS,
    memory::BREAKS,
    params::BREAKS,
    policies::BREAKS,
    hvm::BREAKS,
    hvm::cpu::BREAKS,
    hvm::devices::BREAKS,
    hvm::vcpus::BREAKS,
    pv::BREAKS,
    qemu::BREAKS,
    vcpu::BREAKS,
    pv_types::BREAKS,
];
