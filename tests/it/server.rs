//! Starts the real binary in a folder of its own and ends it by its process id.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A running Throughline. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) ui: SocketAddr,
}

const START_WITHIN: Duration = Duration::from_secs(60);

/// The binary under test with nothing inherited that could change it.
pub(crate) fn command() -> Command {
    alone(Command::new(env!("CARGO_BIN_EXE_throughline")))
}

/// A command with nothing inherited that could change the binary under test.
pub(crate) fn alone(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("THROUGHLINE_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

impl Server {
    /// Starts on free ports with data in `data_dir` and waits until it is ready.
    pub(crate) fn start(data_dir: &Path, more: &[&str]) -> Self {
        Self::try_start(data_dir, more).unwrap_or_else(|said| panic!("the server did not start:\n{said}"))
    }

    /// As [`Server::start`]; the error is what it printed before it ended.
    pub(crate) fn try_start(data_dir: &Path, more: &[&str]) -> Result<Self, String> {
        Self::start_as(command(), data_dir, more)
    }

    /// As [`Server::try_start`], by a command that ends in the program.
    pub(crate) fn start_as(mut program: Command, data_dir: &Path, more: &[&str]) -> Result<Self, String> {
        let mut child = program
            .arg("serve")
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--ui", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = drain(child.stderr.take().unwrap());
        let (found, addresses) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = found.send(line);
            }
        });
        let [mut grpc, mut http, mut ui] = [None; 3];
        let deadline = Instant::now() + START_WITHIN;
        while let Ok(line) = addresses.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            let address = line.rsplit([' ', '/']).find_map(|word| word.parse::<SocketAddr>().ok());
            match line.split_whitespace().nth(1) {
                Some("otlp/grpc") => grpc = address,
                Some("otlp/http") => http = address,
                Some("ui") => ui = address,
                _ => {}
            }
            if let (Some(grpc), Some(http), Some(ui)) = (grpc, http, ui) {
                return Ok(Self { child, grpc, http, ui });
            }
        }
        let _ = child.kill();
        let status = child.wait().unwrap();
        Err(format!("{status}\n{}", errors.join().unwrap()))
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn terminate(&mut self, within: Duration) -> Option<ExitStatus> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads a pipe to its end so that the process never blocks on it; keeps the last 200 lines.
fn drain(pipe: impl std::io::Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut last = std::collections::VecDeque::new();
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if last.len() == 200 {
                last.pop_front();
            }
            last.push_back(line);
        }
        last.into_iter().collect::<Vec<_>>().join("\n")
    })
}
