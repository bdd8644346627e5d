//! Throughline keeps the traces and logs of your services, and shows the thread of every request.
//!
//! Reads what was asked, does it, and turns the outcome into an exit code: 0 done, 1 it failed, 2 it was asked wrongly.

use std::io::Write as _;
use std::process::ExitCode;

mod allocator;
mod app;
mod backup;
mod bench;
mod check;
mod cli;
mod config;
mod export;
mod health;
mod import;
mod load;
mod outcome;
mod progress;
mod query;
mod repair;
mod shutdown;
mod source;
mod telemetry;

use self::app::App;
use self::cli::{Cli, Command};
use self::config::Config;
use self::outcome::{USAGE, finish, say, unless_unread};
use self::shutdown::Signals;

/// Columns are built on several threads at once; the system's allocator makes them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::read(std::env::args_os()) {
        Err(printed) => printed.exit(),
        Ok(command) => run(command),
    }
}

fn run(command: Command) -> ExitCode {
    match command {
        Command::Serve(flags) => match Config::load(&flags) {
            Ok(config) => {
                allocator::keep_little(config.storage.memory_limit_bytes);
                finish(serve(config))
            }
            Err(mistakes) => {
                say(&mistakes);
                ExitCode::from(USAGE)
            }
        },
        Command::Load(arguments) => finish(load::run(arguments)),
        Command::Health(arguments) => finish(health::run(&arguments)),
        Command::Check(arguments) => finish(unless_unread(check::run(&arguments))),
        Command::Repair(arguments) => finish(repair::run(&arguments)),
        Command::Backup(arguments) => finish(backup::run(&arguments)),
        Command::Restore(arguments) => finish(backup::restore(&arguments)),
        Command::Export(arguments) => finish(unless_unread(export::run(&arguments))),
        Command::Import(arguments) => finish(import::run(&arguments)),
        Command::Query(arguments) => finish(unless_unread(query::run(&arguments))),
        Command::Bench(arguments) => finish(bench::run(&arguments)),
        Command::Version => {
            let printed = writeln!(std::io::stdout(), "throughline {}", env!("CARGO_PKG_VERSION"));
            finish(printed.map(|()| ExitCode::SUCCESS).map_err(Into::into))
        }
    }
}

/// Builds the parts, says where they listen, runs them until a signal, and lets them finish.
fn serve(config: Config) -> anyhow::Result<ExitCode> {
    telemetry::start(&config.log);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let app = App::build(config).await?;
        app.announce(std::io::stdout())?;
        app.run(&mut signals).await
    });
    // What did not end by the deadline is not waited for a second time. The threads end with the process: letting go of threads
    // that are about to end can fault inside of the GNU C library.
    std::mem::forget(runtime);
    outcome
}

/// Receivers, pages and the demo share two threads; queries and background work have their own inside the store.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("throughline").enable_all().build()
}
