//! Ctrl-C: the first ends a run early, with what was measured until then; the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// A flag that the first SIGINT or SIGTERM sets.
///
/// # Errors
/// When the handlers can't be set.
pub(super) fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let is_second = stop.clone();
        let give_back = move || {
            if is_second.load(Ordering::SeqCst) {
                loadgen::view::restore();
            }
        };
        // Before what ends the process, lest the terminal stays as the view has made it.
        // SAFETY: restore calls only what a signal handler may call, and cannot panic.
        unsafe { signal_hook::low_level::register(signal, give_back)? };
        // Registered first so that it runs first: it ends the process only if the flag is set already.
        signal_hook::flag::register_conditional_shutdown(signal, 130, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}
