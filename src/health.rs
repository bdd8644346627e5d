//! `throughline health`: asks a running server over HTTP, for containers and supervisors that have no other client.

use std::io::Write as _;
use std::process::ExitCode;

use ui::client::Client;

use crate::app::reachable;
use crate::cli::{Flags, Health};
use crate::config::Config;
use crate::source::WrongSettings;

/// Prints one line. Fails when the server is not alive, or with `--ready` not ready.
///
/// # Errors
/// Says who did not answer, or what is not ready.
pub(crate) fn run(arguments: &Health) -> anyhow::Result<ExitCode> {
    let url = match &arguments.url {
        Some(url) => url.clone(),
        // The same settings as of the server: in a container both have the same environment.
        None => {
            let pages = Config::load(&Flags::default()).map_err(WrongSettings)?.pages;
            anyhow::ensure!(pages.listen.port() != 0, "the settings leave the port of the pages open; give --url http://127.0.0.1:PORT");
            format!("http://{}{}", reachable(pages.listen), pages.base_path)
        }
    };
    let client = Client::new(&url)?;
    crate::runtime()?.block_on(client.health(arguments.ready, arguments.timeout))?;
    writeln!(std::io::stdout(), "{} is {}", client.name(), if arguments.ready { "ready" } else { "alive" })?;
    Ok(ExitCode::SUCCESS)
}
