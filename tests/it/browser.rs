//! Headless Chromium on the shop's data: every page opens, the failing checkout is found by keyboard, nothing is refused by the CSP,
//! a large trace stays small, what readers do works, and neither axe nor the checkers of HTML find anything. `docs/ui.md` has the list.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::http::get_json;
use crate::server::Server;

/// In the order in which they are run: what reads the shop alone comes first. `UI_TESTS=all` runs all of them, and each in full.
const SCRIPTS: [(&str, When); 20] = [
    ("walk.mjs", When::Always),
    ("tasks.mjs", When::Always),
    ("markup.mjs", When::Always),
    ("axe.mjs", When::Always),
    ("layout.mjs", When::All),
    ("budgets.mjs", When::All),
    ("media.mjs", When::All),
    ("parity.mjs", When::All),
    ("lighthouse.mjs", When::All),
    ("aria.mjs", When::All),
    ("look.mjs", When::Always),
    ("trace.mjs", When::Always),
    ("large.mjs", When::Always),
    ("act.mjs", When::Always),
    ("reader.mjs", When::Always),
    ("keys.mjs", When::Always),
    ("hostile.mjs", When::Always),
    ("times.mjs", When::Always),
    ("live.mjs", When::Always),
    ("start.mjs", When::Always),
];

/// In which runs a script takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    /// It takes long.
    All,
}

fn chromium() -> Option<&'static str> {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].into_iter().find(|path| Path::new(path).exists())
}

/// Waits until the shop's failing checkout has been received.
async fn wait_for_a_failing_checkout(server: &Server) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = get_json(server.ui, "/api/v1/traces?q=service%3Apayment%20status%3Aerror&limit=1").await;
        if found["traces"].as_array().is_some_and(|traces| !traces.is_empty()) {
            return;
        }
        assert!(Instant::now() < deadline, "the shop sent no failing payment");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_what_is_promised_of_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let (Some(chromium), true) = (chromium(), folder.join("node_modules").exists()) else {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: Chromium or its driver is not here; run tests/run\n");
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--demo"]);
    wait_for_a_failing_checkout(&server).await;
    let (ui, otlp) = (format!("http://{}", server.ui), format!("http://{}", server.http));
    let is_all = std::env::var_os("UI_TESTS").is_some_and(|wanted| wanted == "all");
    for (script, _) in SCRIPTS.into_iter().filter(|(_, when)| is_all || *when == When::Always) {
        let first = run(&folder.join(script), [&ui, chromium, &otlp]).await;
        // A browser on a machine that runs all other tests beside it may be late once; what fails twice is a fault.
        if let Err(said) = first
            && let Err(again) = run(&folder.join(script), [&ui, chromium, &otlp]).await
        {
            panic!("{script}: {said}\nand again: {again}");
        }
    }
}

/// What a script said when it failed.
async fn run(script: &Path, arguments: [&str; 3]) -> Result<(), String> {
    let mut command = Command::new("node");
    command.arg(script).args(arguments).env("THROUGHLINE", env!("CARGO_BIN_EXE_throughline"));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(said) }
}
