//! `throughline load`: sends a workload and prints what became of it.

use std::io::Write as _;
use std::process::ExitCode;

use crate::cli::{Load, Protocol, Workload};
use crate::source::AskedWrongly;
use crate::telemetry;

/// Sends what was asked for. Fails when anything was not acknowledged.
///
/// # Errors
/// When it cannot start.
pub(crate) fn run(arguments: Load) -> anyhow::Result<ExitCode> {
    if arguments.spans == 0 && arguments.logs == 0 {
        return Err(AskedWrongly("there is nothing to send; give --spans 100000, --logs 100000 or both".to_owned()).into());
    }
    telemetry::start(&telemetry::Config { filter: "warn".to_owned(), format: telemetry::Format::Text });
    let json = arguments.json;
    let config = shop::load::Config {
        endpoint: arguments.endpoint,
        protocol: match arguments.protocol {
            Protocol::Http => shop::load::Protocol::Http,
            Protocol::Grpc => shop::load::Protocol::Grpc,
        },
        workload: arguments.workload.into(),
        spans: arguments.spans,
        logs: arguments.logs,
        connections: usize::from(arguments.connections),
        items_per_request: usize::try_from(arguments.spans_per_request)?,
        window: arguments.window,
        rate: arguments.rate,
        give_up_after: arguments.give_up_after,
        ledger: arguments.ledger,
        seed: arguments.seed,
    };
    let report = crate::runtime()?.block_on(shop::load::run(config))?;
    let mut out = std::io::stdout();
    if json {
        writeln!(out, "{}", report.to_json())?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl From<Workload> for shop::load::Workload {
    fn from(workload: Workload) -> Self {
        match workload {
            Workload::Shop => Self::Shop,
            Workload::Tail => Self::Tail,
            Workload::Raw => Self::Raw,
        }
    }
}
