//! The threads that questions run on, how far they stand back, and how they end.

use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

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

/// Ends threads without waiting for them, which would block, and panic inside of another runtime.
///
/// They are handed to one thread of the process that waits for them and joins each. Letting go of a thread that is about to end
/// (what `Runtime::shutdown_background` does) reads memory of the thread that it may have returned already: a fault of
/// `pthread_detach` of the GNU C library, which ends the whole process now and then, soonest with stacks as large as these.
pub(super) fn end(threads: Runtime) {
    static ENDING: OnceLock<Option<Sender<Runtime>>> = OnceLock::new();
    let ending = ENDING.get_or_init(|| {
        let (sender, ended) = channel();
        let started = std::thread::Builder::new().name("query-end".to_owned()).spawn(move || ended.into_iter().for_each(drop));
        started.ok().map(|_| sender)
    });
    match ending {
        Some(ending) => drop(ending.send(threads).map_err(|unsent| std::mem::forget(unsent.0))),
        None => std::mem::forget(threads),
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    use super::{end, threads};

    #[test]
    fn threads_end_when_their_work_has_and_nobody_waits_for_it() {
        let (finish, finished) = channel::<()>();
        let (working, works) = channel();
        let (one, other) = (threads("ends-late", || ()).unwrap(), threads("ends", || ()).unwrap());
        one.spawn_blocking(move || {
            working.send(()).unwrap();
            finished.recv()
        });
        works.recv().unwrap();
        end(one);
        end(other);
        assert!(named("ends-late") > 0, "ending waits for what runs, elsewhere than here");
        finish.send(()).unwrap();
        let begun = Instant::now();
        while named("ends-late") + named("ends") > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "a thread is left");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Threads of this process by that name.
    fn named(name: &str) -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        tasks.filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)).count()
    }
}
