//! What any program without a C library has to bring along: the entry point, and the four functions on memory that the
//! compiler calls by name. Linux on x86-64.

#![allow(
    unsafe_code,
    reason = "functions that the linker finds by name, with the registers as their only interface"
)]

use core::arch::naked_asm;

/// Where the kernel enters the program: on a stack that holds no return address.
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn _start() -> ! {
    naked_asm!("call {main}", "mov edi, eax", "mov eax, 231", "syscall", main = sym crate::main)
}

#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn memcpy(_to: *mut u8, _from: *const u8, _bytes: usize) -> *mut u8 {
    naked_asm!("mov rax, rdi", "mov rcx, rdx", "rep movsb", "ret")
}

#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn memset(_to: *mut u8, _byte: i32, _bytes: usize) -> *mut u8 {
    naked_asm!("mov r8, rdi", "mov eax, esi", "mov rcx, rdx", "rep stosb", "mov rax, r8", "ret")
}

/// Equal or not is all that the core asks.
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn bcmp(_one: *const u8, _other: *const u8, _bytes: usize) -> i32 {
    naked_asm!("xor eax, eax", "mov rcx, rdx", "cmp ecx, ecx", "repe cmpsb", "setne al", "ret")
}
