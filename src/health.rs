//! `throughline health`: asks a running server over HTTP, for containers and supervisors that have no other client.

use std::io::Write as _;
use std::process::ExitCode;

use ui::client::Client;

use crate::app::reachable;
use crate::cli::{Flags, Health};
use crate::config::Config;

/// Prints one line. Fails when the server is not alive, or with `--ready` not ready.
///
/// # Errors
/// Says who did not answer, or what is not ready.
pub(crate) fn run(arguments: &Health) -> anyhow::Result<ExitCode> {
    let url = match &arguments.url {
        Some(url) => url.clone(),
        // The same settings as of the server: in a container both have the same environment.
        None => match Config::load(&Flags::default()) {
            Ok(config) if config.pages.listen.port() == 0 => {
                anyhow::bail!("the settings leave the port of the pages open; give --url http://127.0.0.1:PORT")
            }
            Ok(config) => format!("http://{}{}", reachable(config.pages.listen), config.pages.base_path),
            Err(mistakes) => {
                crate::say(&mistakes);
                return Ok(ExitCode::from(crate::USAGE));
            }
        },
    };
    let client = Client::new(&url)?;
    crate::runtime()?.block_on(client.health(arguments.ready, arguments.timeout))?;
    writeln!(std::io::stdout(), "{} is {}", client.name(), if arguments.ready { "ready" } else { "alive" })?;
    Ok(ExitCode::SUCCESS)
}
