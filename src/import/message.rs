//! Messages from files: OTLP JSON line by line, or protobuf by length.
//!
//! Owns reading, numbering and what is said of a file that is not one of these. A message gets its number as a field that OTLP does not
//! know, so that two equal messages of a file are two requests, and one that is sent again is the same.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};

use crate::cli::{ExportFormat, Signal};
use crate::export::varint;

/// One request in protobuf.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Counted from 1 through all files.
    pub(super) number: u64,
    pub(super) signal: Signal,
    pub(super) payload: Vec<u8>,
    /// Records that JSON could not say.
    pub(super) rejected: u64,
    /// Why the first of them was not understood.
    pub(super) rejection: Option<String>,
}

/// The messages of some files, in order. Ends after the first error.
pub(super) struct Messages {
    files: std::vec::IntoIter<PathBuf>,
    open: Option<(PathBuf, ExportFormat, Box<dyn BufRead + Send>)>,
    format: Option<ExportFormat>,
    signal: Option<Signal>,
    skip: u64,
    number: u64,
}

/// Fails when one of the files cannot be read or does not begin as it should, so that nothing is begun, nor a data folder made, for another
/// file.
///
/// # Errors
/// Names the file.
pub(super) fn check(files: &[PathBuf], format: Option<ExportFormat>, signal: Option<Signal>) -> anyhow::Result<()> {
    for path in files.iter().filter(|path| path.as_os_str() != "-") {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let kind = file.metadata()?.file_type();
        ensure!(!kind.is_dir(), "{} is a folder; name the files in it", path.display());
        // A pipe is read once.
        if kind.is_file() {
            Messages::new(vec![path.clone()], format, signal, 0).next().transpose()?;
        }
    }
    Ok(())
}

// === impl Messages ===

impl Messages {
    pub(super) fn new(files: Vec<PathBuf>, format: Option<ExportFormat>, signal: Option<Signal>, skip: u64) -> Self {
        Self { files: files.into_iter(), open: None, format, signal, skip, number: 0 }
    }

    fn read(&mut self) -> anyhow::Result<Option<Message>> {
        loop {
            let Some((path, format, file)) = &mut self.open else {
                let Some(path) = self.files.next() else { return Ok(None) };
                let mut file: Box<dyn BufRead + Send> = if path.as_os_str() == "-" {
                    Box::new(BufReader::new(std::io::stdin()))
                } else {
                    Box::new(BufReader::new(File::open(&path).with_context(|| format!("cannot open {}", path.display()))?))
                };
                let begin = file.fill_buf().with_context(|| format!("cannot read {}", path.display()))?;
                ensure_unpacked(begin).with_context(|| path.display().to_string())?;
                if begin.starts_with(BYTE_ORDER_MARK) {
                    file.consume(BYTE_ORDER_MARK.len());
                }
                let format = match self.format {
                    Some(format) => format,
                    None => format_of(file.fill_buf()?),
                };
                self.open = Some((path, format, file));
                continue;
            };
            let format = *format;
            let bytes = match format {
                ExportFormat::Json => line(file.as_mut()),
                ExportFormat::Protobuf => delimited(file.as_mut()),
            };
            let place = || format!("message {} in {}", self.number + 1, path.display());
            let Some(bytes) = bytes.with_context(place)? else {
                self.open = None;
                continue;
            };
            if bytes.iter().all(u8::is_ascii_whitespace) && format == ExportFormat::Json {
                continue;
            }
            let context = place();
            self.number += 1;
            if self.number > self.skip {
                return self.understood(format, bytes).context(context).map(Some);
            }
        }
    }

    fn understood(&self, format: ExportFormat, bytes: Vec<u8>) -> anyhow::Result<Message> {
        let mut message = match (format, self.signal) {
            (ExportFormat::Protobuf, Some(signal)) => Message { number: 0, signal, payload: bytes, rejected: 0, rejection: None },
            (ExportFormat::Protobuf, None) => {
                bail!("it is in protobuf, whose messages do not say what they hold; give --signal traces or --signal logs")
            }
            (ExportFormat::Json, only) => {
                let signal = signal_of(&bytes)?;
                ensure!(only.is_none_or(|only| only == signal), "it holds {}", signal.as_str());
                let read = collector::from_json(signal.into(), &bytes).map_err(anyhow::Error::msg)?;
                Message { number: 0, signal, payload: read.payload.into(), rejected: read.rejected, rejection: read.rejection }
            }
        };
        message.number = self.number;
        message.payload.extend(varint(NUMBER_KEY));
        message.payload.extend(varint(self.number));
        Ok(message)
    }
}

impl Iterator for Messages {
    type Item = anyhow::Result<Message>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// What some editors write before the text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How packed files begin, and what unpacks them.
const PACKED: [(&[u8], &str, &str); 2] = [(b"\x1f\x8b", "gzip", "gzip -dc"), (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc")];

/// Fails for a file that would have to be unpacked first.
fn ensure_unpacked(begin: &[u8]) -> anyhow::Result<()> {
    match PACKED.iter().find(|(magic, ..)| begin.starts_with(magic)) {
        Some((_, name, command)) => bail!("it is packed by {name}; unpack it on the way: {command} FILE | throughline import -"),
        None => Ok(()),
    }
}

/// What a file is that begins so.
fn format_of(begin: &[u8]) -> ExportFormat {
    // A message in protobuf that is longer than a byte begins with its length and the tag 10; no line of JSON does.
    match begin.trim_ascii_start() {
        [] | [b'{', ..] => ExportFormat::Json,
        text if text.iter().take(64).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => ExportFormat::Json,
        _ => ExportFormat::Protobuf,
    }
}

/// The next line; `None` at the end.
fn line(file: &mut dyn BufRead) -> anyhow::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_until(b'\n', &mut bytes)?;
    ensure!(bytes.len() as u64 <= MAX_BYTES, "it is longer than {} MiB", MAX_BYTES >> 20);
    Ok((!bytes.is_empty()).then_some(bytes))
}

/// The next message after its length; `None` at the end.
fn delimited(file: &mut dyn BufRead) -> anyhow::Result<Option<Vec<u8>>> {
    let mut length = 0;
    for place in 0..5 {
        let mut byte = [0];
        if file.read(&mut byte)? == 0 {
            ensure!(place == 0, "the file ends within its length");
            return Ok(None);
        }
        let [byte] = byte;
        length |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            ensure!(
                length <= MAX_BYTES,
                "it says that it is {length} bytes long; is this OTLP in protobuf, each message after its length?"
            );
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            ensure!(bytes.len() as u64 == length, "the file ends within it");
            return Ok(Some(bytes));
        }
    }
    bail!("its length is not a number; is this OTLP in protobuf, each message after its length?")
}

/// What a line of JSON holds, by its first key.
fn signal_of(line: &[u8]) -> anyhow::Result<Signal> {
    let mut rest = line.trim_ascii_start();
    rest = rest.strip_prefix(b"{").map_or(rest, <[u8]>::trim_ascii_start);
    let begins =
        |key: &str| rest.strip_prefix(b"\"").and_then(|rest| rest.strip_prefix(key.as_bytes())).is_some_and(|rest| rest.starts_with(b"\""));
    if begins("resourceSpans") {
        Ok(Signal::Traces)
    } else if begins("resourceLogs") {
        Ok(Signal::Logs)
    } else if begins("resourceMetrics") || begins("resourceProfiles") {
        bail!("it holds metrics or profiles, which are not kept; leave them out")
    } else if begins("error") {
        bail!("the export that wrote this file did not come to its end")
    } else {
        bail!("it is not a line of OTLP JSON, which begins with {{\"resourceSpans\": or {{\"resourceLogs\":")
    }
}

/// Longer than what a receiver takes as one request.
const MAX_BYTES: u64 = 64 << 20;

/// Field 1000, a varint. OTLP messages have no such field, and what is not known is read over.
const NUMBER_KEY: u64 = 1000 << 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], format: ExportFormat, signal: Option<Signal>, skip: u64) -> Vec<anyhow::Result<Message>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut messages = Vec::new();
        for message in Messages::new(vec![file.path().to_owned(), file.path().to_owned()], Some(format), signal, skip) {
            let failed = message.is_err();
            messages.push(message);
            if failed {
                break;
            }
        }
        messages
    }

    #[test]
    fn lines_are_numbered_through_all_files_and_tell_their_signal() {
        let text = b"{\"resourceSpans\":[]}\n\n  { \"resourceLogs\" : [] }";
        let all: Vec<_> = read(text, ExportFormat::Json, None, 0).into_iter().map(Result::unwrap).collect();
        let known: Vec<_> = all.iter().map(|message| (message.number, message.signal)).collect();
        assert_eq!(known, [(1, Signal::Traces), (2, Signal::Logs), (3, Signal::Traces), (4, Signal::Logs)]);
        assert_eq!(all[3].payload, [0xc0, 0x3e, 4]);
        assert_eq!(read(text, ExportFormat::Json, None, 3).into_iter().map(Result::unwrap).collect::<Vec<_>>(), all[3..]);
    }

    #[test]
    fn what_is_no_otlp_is_told_with_its_place() {
        for (text, wrong) in [
            ("{\"resourceSpans\":[]}\n{\"resourceSpans\":[", "message 2"),
            ("hello", "not a line of OTLP JSON"),
            ("{\"resourceMetrics\":[]}", "not kept"),
            ("{\"error\":{}}", "did not come to its end"),
        ] {
            let last = read(text.as_bytes(), ExportFormat::Json, None, 0).pop().unwrap();
            let said = format!("{:#}", last.unwrap_err());
            assert!(said.contains(wrong), "{said}");
        }
        for (bytes, wrong) in [
            (&[5, 1][..], "ends within it"),
            (&[0x80], "within its length"),
            (&[0xff; 9], "not a number"),
            (&[0xff, 0xff, 0xff, 0x7f, 1], "bytes long"),
        ] {
            let said = format!("{:#}", read(bytes, ExportFormat::Protobuf, Some(Signal::Logs), 0).pop().unwrap().unwrap_err());
            assert!(said.contains(wrong), "{said}");
        }
        let said = format!("{:#}", read(b"{\"resourceLogs\":[]}", ExportFormat::Json, Some(Signal::Traces), 0).pop().unwrap().unwrap_err());
        assert!(said.contains("it holds logs"), "{said}");
    }

    #[test]
    fn packed_files_are_told_and_a_byte_order_mark_is_none_of_the_text() {
        for (begin, packed) in [(&[0x1f, 0x8b, 8, 0][..], "gzip -dc"), (&[0x28, 0xb5, 0x2f, 0xfd, 4], "zstd -dc")] {
            let said = format!("{:#}", read(begin, ExportFormat::Protobuf, Some(Signal::Logs), 0).pop().unwrap().unwrap_err());
            assert!(said.contains(packed), "{said}");
        }
        let marked = [BYTE_ORDER_MARK, b"{\"resourceSpans\":[]}"].concat();
        assert!(read(&marked, ExportFormat::Json, None, 0).iter().all(Result::is_ok));
    }

    #[test]
    fn messages_in_protobuf_follow_their_length() {
        let long = vec![7; 300];
        let mut bytes = vec![2, 0x0a, 0, 0];
        bytes.extend(varint(300));
        bytes.extend(&long);
        let all: Vec<_> = read(&bytes, ExportFormat::Protobuf, Some(Signal::Traces), 0).into_iter().map(Result::unwrap).collect();
        assert_eq!(all.len(), 6);
        assert!(all[0].payload.starts_with(&[0x0a, 0]) && all[2].payload.starts_with(&long));
    }

    #[test]
    fn a_file_is_read_as_it_begins() {
        assert_eq!(format_of(b" \n{\"resourceSpans\""), ExportFormat::Json);
        assert_eq!(format_of(b"import os\n\n"), ExportFormat::Json);
        assert_eq!(format_of(&[0x8a, 0x02, 0x0a, 0xff]), ExportFormat::Protobuf);
        assert_eq!(format_of(&[9, 0x0a, 7, 0x12]), ExportFormat::Protobuf);
    }
}
