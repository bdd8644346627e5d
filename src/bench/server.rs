//! The server that is measured: this program, started by itself.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A running server. Killed when it is dropped; its folder goes too, unless it was named.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    folder: Folder,
    pub(super) ui: String,
    pub(super) otlp_http: String,
}

/// Where the server keeps what it is sent.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    is_own: bool,
}

// === impl Server ===

impl Server {
    /// Starts with an empty folder: the one named, or one of its own.
    pub(super) async fn start(folder: Option<&Path>) -> anyhow::Result<Self> {
        let is_own = folder.is_none();
        let path = folder.map_or_else(|| std::env::temp_dir().join(format!("throughline-bench-{}", std::process::id())), Path::to_owned);
        if std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("{} is not empty; a benchmark begins with an empty folder", path.display());
        }
        // From here on it is removed whatever happens, also while the server starts.
        let folder = Folder { path, is_own };
        let (child, ui, otlp_http) = spawn(&folder.path).await?;
        Ok(Self { child, folder, ui, otlp_http })
    }

    /// Kills it and starts it again on what is there.
    pub(super) async fn restart(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot end the server")?;
        (self.child, self.ui, self.otlp_http) = spawn(&self.folder.path).await?;
        Ok(())
    }

    /// User and system time so far.
    pub(super) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.pid()?)).context("the processor time of the server is not known")?;
        let (_, fields) = stat.rsplit_once(')').context("the processor time of the server is not known")?;
        let ticks: Result<u32, _> = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum();
        Ok(f64::from(ticks?) / TICKS_PER_SECOND)
    }

    /// The most memory that it ever had.
    pub(super) fn peak_rss_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid().ok()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot end the server")
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the server ended by itself")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        for _ in 0..TRIALS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(BETWEEN_TRIALS);
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A server that was killed while it started may still be writing a name or two.
        for _ in 0..TRIALS {
            if !self.is_own || !self.path.exists() || std::fs::remove_dir_all(&self.path).is_ok() {
                return;
            }
            std::thread::sleep(BETWEEN_TRIALS);
        }
        crate::say(&format_args!("the folder {} could not be removed", self.path.display()));
    }
}

async fn spawn(folder: &Path) -> anyhow::Result<(Child, String, String)> {
    let mut command = Command::new(std::env::current_exe().context("this program does not know where it is")?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("THROUGHLINE_")) {
        command.env_remove(name);
    }
    command
        .args(["serve", "--ui", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--otlp-grpc", "off", "--log", "warn"])
        .args(["--flush-interval", "5s", "--data-dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().context("the server cannot be started")?;
    let mut lines = BufReader::new(child.stdout.take().context("the server has no output")?).lines();
    let (mut ui, mut otlp_http) = (None, None);
    let found = async {
        while let Some(line) = lines.next_line().await? {
            let mut words = line.split(' ').skip(1);
            match (words.next(), words.next()) {
                (Some("ui"), Some(url)) => ui = Some(url.to_owned()),
                (Some("otlp/http"), Some(url)) => otlp_http = Some(url.to_owned()),
                _ => {}
            }
            if let (Some(ui), Some(otlp_http)) = (&ui, &otlp_http) {
                return Ok((ui.clone(), otlp_http.clone()));
            }
        }
        bail!("the server ended before it was ready")
    };
    let (ui, otlp_http) = tokio::time::timeout(START_WITHIN, found).await.context("the server was not ready in time")??;
    Ok((child, ui, otlp_http))
}

/// How often it is looked whether a server has ended, or tried to remove its folder.
const TRIALS: u32 = 100;
const BETWEEN_TRIALS: Duration = Duration::from_millis(20);

const START_WITHIN: Duration = Duration::from_secs(120);

/// What Linux tells programs, whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;
