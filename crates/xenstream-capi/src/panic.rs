//! Without std this crate has to say what a panic does. None is reachable: a test looks for this in a program that was
//! linked with the library, and does not find it.

unsafe extern "C" {
    safe fn abort() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    abort()
}
