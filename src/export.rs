//! `throughline export`: everything that matches, as OTLP in a file.
//!
//! Owns the files. Spans come before log records; each line or message holds up to a thousand of one of them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use ui::client::{Client, path};

use crate::cli::{Export, ExportFormat, Signal};
use crate::progress::Progress;
use crate::source::{Source, quiet_log};

/// What was written.
#[derive(Debug, Default)]
struct Written {
    messages: u64,
    bytes: usize,
}

/// Writes what was asked for. Fails when it is not whole, or a trace that was asked for is not there.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn run(arguments: &Export) -> anyhow::Result<ExitCode> {
    if arguments.format == ExportFormat::Protobuf && arguments.signal.is_none() {
        crate::say(&"a file in protobuf holds spans or log records, not both; give --signal traces or --signal logs");
        return Ok(ExitCode::from(crate::USAGE));
    }
    quiet_log();
    crate::runtime()?.block_on(async {
        let source = Source::open(&arguments.source).await?;
        let written = write(&source.client, arguments).await;
        source.close().await?;
        written
    })
}

async fn write(client: &Client, arguments: &Export) -> anyhow::Result<ExitCode> {
    let Some(file) = arguments.output.as_deref().filter(|file| !is_stdout(file)) else {
        let written = lines(client, arguments, BufWriter::new(std::io::stdout())).await?;
        return Ok(report(arguments, &written, None));
    };
    let draft = draft_of(file)?;
    let failed = || format!("cannot write {}", draft.display());
    let out = File::create(&draft).with_context(failed)?;
    let written = lines(client, arguments, BufWriter::new(&out)).await;
    // What was written is kept under its other name: it may be all there is.
    let written = written.with_context(|| format!("the export is not whole; what there is stands in {}", draft.display()))?;
    out.sync_all().with_context(failed)?;
    std::fs::rename(&draft, file).with_context(|| format!("cannot rename {} to {}", draft.display(), file.display()))?;
    Ok(report(arguments, &written, Some(file)))
}

/// Says what was written, on stderr; fails where a trace that was named is not there.
fn report(arguments: &Export, written: &Written, file: Option<&Path>) -> ExitCode {
    let Written { messages, bytes } = written;
    match (file, messages) {
        (_, 0) => crate::say(&"nothing that is stored matches; the export is empty"),
        (Some(file), _) => crate::say(&format_args!("wrote {messages} messages, {bytes} bytes, to {}", file.display())),
        (None, _) => {}
    }
    if *messages == 0 && arguments.trace.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// As other programs write it, and as `import` takes it.
fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// The name of a file that is not whole yet.
fn draft_of(file: &Path) -> anyhow::Result<PathBuf> {
    let mut name = file.file_name().with_context(|| format!("{} is not the name of a file", file.display()))?.to_owned();
    name.push(".partial");
    Ok(file.with_file_name(name))
}

/// Writes all that can be read: where some of one signal cannot, the other comes all the same, and what is missing is told then.
async fn lines(client: &Client, arguments: &Export, mut out: impl Write) -> anyhow::Result<Written> {
    let mut written = Written::default();
    let mut progress = Progress::new("exported", "bytes");
    let mut missing = Vec::new();
    for signal in [Signal::Traces, Signal::Logs] {
        if arguments.signal.is_some_and(|only| only != signal) {
            continue;
        }
        let wanted = [
            ("signal", Some(signal.as_str())),
            ("q", arguments.query.as_deref()),
            ("trace", arguments.trace.as_deref()),
            ("from", arguments.window.from.as_deref()),
            ("to", arguments.window.to.as_deref()),
        ];
        let wanted: Vec<(&str, &str)> = wanted.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let answer = client.get(&path("/api/v1/export", &wanted)).await?;
        let mut line = Vec::new();
        answer
            .each(|piece| -> anyhow::Result<()> {
                progress.add(piece.len() as u64);
                for part in piece.split_inclusive(|byte| *byte == b'\n') {
                    line.extend_from_slice(part);
                    if part.ends_with(b"\n") {
                        match error_of(&line) {
                            Some(error) => missing.push(format!("{}: {error}", signal.as_str())),
                            None => {
                                written.bytes += put(&line, signal, arguments.format, &mut out)?;
                                written.messages += 1;
                            }
                        }
                        line.clear();
                    }
                }
                Ok(())
            })
            .await?;
        anyhow::ensure!(line.is_empty(), "the answer of {} ends within a line", client.name());
    }
    out.flush().context("cannot write")?;
    let advice = if missing.iter().any(|missing| missing.contains("not everything is there")) { ADVICE } else { "" };
    anyhow::ensure!(missing.is_empty(), "{} ({} messages came){advice}", missing.join("; "), written.messages);
    Ok(written)
}

/// What to do where data is damaged.
const ADVICE: &str =
    "; `throughline check` says what is damaged, `throughline repair` keeps all that can be read of it, after which an export is whole";

/// What the last line of an answer says that is not whole.
fn error_of(line: &[u8]) -> Option<String> {
    let error: serde_json::Value = line.starts_with(b"{\"error\"").then(|| serde_json::from_slice(line).unwrap_or_default())?;
    Some(error.pointer("/error/message").and_then(serde_json::Value::as_str).unwrap_or("the server broke off").to_owned())
}

/// Writes one line, or the message that it stands for, and says how many bytes that were.
fn put(line: &[u8], signal: Signal, format: ExportFormat, out: &mut impl Write) -> anyhow::Result<usize> {
    match format {
        ExportFormat::Json => {
            out.write_all(line)?;
            Ok(line.len())
        }
        ExportFormat::Protobuf => {
            let message = collector::from_json(signal.into(), line).map_err(anyhow::Error::msg)?;
            if let Some(why) = message.rejection {
                anyhow::bail!("a record cannot be written in protobuf: {why}");
            }
            let length = varint(message.payload.len() as u64);
            out.write_all(&length)?;
            out.write_all(&message.payload)?;
            Ok(length.len() + message.payload.len())
        }
    }
}

/// A number as protobuf writes lengths.
pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes().first().map_or(0, |byte| byte | 0x80));
        number >>= 7;
    }
    bytes.push(number.to_le_bytes().first().copied().unwrap_or(0));
    bytes
}

// === impl Signal ===

impl Signal {
    /// The word for it in questions.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }
}

impl From<Signal> for storage::Signal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self::Traces,
            Signal::Logs => Self::Logs,
        }
    }
}
