//! The threads that questions run on, and how far they stand back.

use tokio::runtime::{Builder, Runtime};

/// Planning a statement of the largest allowed depth takes a good part of the usual 2 MiB.
const STACK_BYTES: usize = 16 << 20;
/// How far heavy questions stand back: behind merging, since receiving waits for that in the end.
const HEAVY_NICE: i32 = 19;
/// Started when needed. Every table that an SQL statement names takes two.
const MAX_THREADS: usize = 512;

pub(super) fn threads(name: &'static str, on_start: impl Fn() + Send + Sync + 'static) -> Option<Runtime> {
    let built = Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(MAX_THREADS)
        .thread_name(name)
        .thread_stack_size(STACK_BYTES)
        .on_thread_start(on_start)
        .enable_all()
        .build();
    built.inspect_err(|error| tracing::error!(error = %error, "the query threads could not be started")).ok()
}

/// Lets receiving and light questions go first; on Linux a nice value is one thread's own, and threads that it starts have it too.
pub(super) fn give_way() {
    if let Err(error) = rustix::process::nice(HEAVY_NICE) {
        tracing::debug!(%error, "heavy questions run at the priority of everything else");
    }
}
