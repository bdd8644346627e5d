//! Log records of the workloads "tail" and "raw".
//!
//! Owns their shape. Of "tail": 50 services, 200 forms of a message with numbers in it, twelve attributes, 300 bytes of text on average
//! (the body and what attributes hold, without their names), two in five with a trace id. Of "raw": bodies of a kilobyte that no other
//! record has, and two attributes. Each has one slot.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

use crate::load::tail::{SLOT, at, resource, scope};
use crate::random::Random;
use crate::value::{any, pair};

const SERVICES: usize = 50;
const RAW_SERVICES: usize = 10;
const FORMS: u64 = 200;

/// Letters by chance in a body of a kilobyte, behind its slot and a space.
pub(super) const NOISE: usize = 1_024 - NOISE_AFTER;
/// From the beginning of a slot to the noise.
pub(super) const NOISE_AFTER: usize = SLOT.len() + 1;

/// One request of exactly `items` log records of an application.
pub(super) fn app(random: &mut Random, now_nanos: &mut u64, items: usize) -> ExportLogsServiceRequest {
    request(random, now_nanos, items, SERVICES, app_record)
}

/// One request of exactly `items` log records that hardly compress.
pub(super) fn raw(random: &mut Random, now_nanos: &mut u64, items: usize) -> ExportLogsServiceRequest {
    request(random, now_nanos, items, RAW_SERVICES, raw_record)
}

fn request(
    random: &mut Random,
    now_nanos: &mut u64,
    items: usize,
    services: usize,
    record: fn(&mut Random) -> LogRecord,
) -> ExportLogsServiceRequest {
    let mut by_service: Vec<Vec<LogRecord>> = (0..services).map(|_| Vec::new()).collect();
    for _ in 0..items {
        let service = at(random, services);
        if let Some(records) = by_service.get_mut(service) {
            let times = LogRecord { time_unix_nano: *now_nanos, observed_time_unix_nano: *now_nanos + 1_000_000, ..record(random) };
            records.push(times);
        }
        *now_nanos += random.until_next(LOGS_PER_SECOND);
    }
    let of = |(service, log_records): (usize, Vec<LogRecord>)| ResourceLogs {
        resource: Some(resource(service)),
        scope_logs: vec![ScopeLogs { scope: Some(scope()), log_records, ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    };
    ExportLogsServiceRequest {
        resource_logs: by_service.into_iter().enumerate().filter(|(_, records)| !records.is_empty()).map(of).collect(),
    }
}

fn app_record(random: &mut Random) -> LogRecord {
    let form = random.between(0, FORMS - 1);
    let (severity_number, severity_text) =
        random.pick(&[(5, "DEBUG"), (9, "INFO"), (9, "INFO"), (9, "INFO"), (9, "INFO"), (9, "INFO"), (13, "WARN"), (17, "ERROR")]);
    let mut record = LogRecord {
        severity_number,
        severity_text: severity_text.to_owned(),
        body: Some(any(message(random, form))),
        attributes: vec![
            pair("code.function.name", format!("example.module{}.run", form % 40)),
            pair("code.line.number", form + 20),
            pair("thread.id", random.between(1, 64)),
            pair("thread.name", format!("worker-{}", random.between(1, 64))),
            pair("batch.form", form),
            pair("retry.count", random.between(0, 3)),
            pair("dry_run", random.chance(0.1)),
            pair("tenant.id", format!("tenant-{}", random.between(1, 400))),
            pair("user.id", random.between(1, 2_000_000)),
            pair("cloud.region", random.pick(&["eu-central-1", "us-east-1", "ap-south-1"])),
            pair("deployment.ring", random.pick(&["stable", "stable", "stable", "canary"])),
            pair("queue.name", random.pick(&["orders", "invoices", "mails", "returns"])),
        ],
        ..LogRecord::default()
    };
    if random.chance(0.4) {
        record.trace_id = random.trace_id().to_vec();
        record.span_id = random.span_id().to_vec();
    }
    record
}

/// The words follow from the form, the numbers from chance.
fn message(random: &mut Random, form: u64) -> String {
    let pick = |list: &[&'static str], place: u64| list.get(usize::try_from(place).unwrap_or(0)).copied().unwrap_or_default();
    let mut text = pick(&SUBJECTS, form % SUBJECTS.len() as u64).to_owned();
    let phrases = PHRASES.len() as u64;
    // An odd step meets each phrase before it meets one again.
    let (first, step) = (form % phrases, 1 + 2 * (form / phrases % (phrases / 2)));
    for number in 0..6 + form % 5 {
        // Writing to a String cannot fail.
        let _ = write!(text, " {} {}", pick(&PHRASES, (first + number * step) % phrases), random.between(1, 9_000));
        if number == 1 {
            let _ = write!(text, " with reference {}", String::from_utf8_lossy(SLOT));
        }
    }
    let _ = write!(text, ", checksum {}", random.hex(16));
    text
}

fn raw_record(random: &mut Random) -> LogRecord {
    let body = format!("{} {}", String::from_utf8_lossy(SLOT), " ".repeat(NOISE));
    LogRecord {
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(any(body)),
        attributes: vec![
            pair("log.iostream", random.pick(&["stdout", "stderr"])),
            pair("log.file.name", format!("part-{}.log", random.between(1, 40))),
        ],
        ..LogRecord::default()
    }
}

/// Fills a place for noise: letters, digits and few spaces, in every replay others.
pub(super) fn fill(random: &mut Random, place: &mut [u8; NOISE]) {
    for bytes in place.chunks_mut(10) {
        let mut number = random.number();
        for byte in bytes {
            *byte = usize::try_from(number & 63).ok().and_then(|at| LETTERS.get(at)).copied().unwrap_or(b' ');
            number >>= 6;
        }
    }
}

/// All needles have an e, so none is here by chance.
const LETTERS: &[u8; 64] = b"abcdfghijklmnopqrstuvwxyzABCDFGHIJKLMNOPQRSTUVWXYZ0123456789    ";

const SUBJECTS: [&str; 10] =
    ["import", "export", "settlement", "reindex", "delivery", "refund", "lease renewed", "cache filled", "snapshot", "upload"];
const PHRASES: [&str; 16] = [
    "finished after ms",
    "for customer",
    "on partition",
    "rows read",
    "rows written of",
    "from shard",
    "attempt",
    "while waiting for others",
    "within a budget of ms",
    "under lease",
    "at offset",
    "using memory pages",
    "by worker",
    "in batch",
    "against schema revision",
    "after queueing for ms",
];

const LOGS_PER_SECOND: f64 = 2_000.0;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opentelemetry_proto::tonic::common::v1::any_value::Value;

    use super::*;

    fn text(value: &Value) -> String {
        match value {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(flag) => flag.to_string(),
            other => format!("{other:?}"),
        }
    }

    fn body(record: &LogRecord) -> String {
        text(record.body.as_ref().unwrap().value.as_ref().unwrap())
    }

    #[test]
    fn records_of_applications_have_the_shape_that_is_said_of_them() {
        let request = app(&mut Random::new(5), &mut 1_700_000_000_000_000_000, 4_000);
        assert_eq!(request.resource_logs.len(), 50);
        let records: Vec<LogRecord> = request.resource_logs.into_iter().flat_map(|r| r.scope_logs).flat_map(|s| s.log_records).collect();
        assert_eq!(records.len(), 4_000);
        let (mut bytes, mut forms) = (0, BTreeSet::new());
        for record in &records {
            assert_eq!(record.attributes.len(), 12);
            let values: usize = record.attributes.iter().map(|kv| text(kv.value.as_ref().unwrap().value.as_ref().unwrap()).len()).sum();
            bytes += body(record).len() + values;
            // Without what differs between records of a form.
            let words = body(record);
            let words = words.split(", checksum").next().unwrap().split(' ').filter(|word| word.parse::<u64>().is_err());
            forms.insert(words.collect::<Vec<_>>().join(" "));
        }
        assert_eq!(forms.len(), 200);
        assert!((285..=315).contains(&(bytes / records.len())), "{} bytes", bytes / records.len());
        let in_traces = records.iter().filter(|record| !record.trace_id.is_empty()).count();
        assert!((1_500..=1_700).contains(&in_traces), "{in_traces} have trace ids");
    }

    #[test]
    fn noise_fills_bodies_of_a_kilobyte_and_is_never_a_needle() {
        let record = raw_record(&mut Random::new(1));
        assert_eq!((body(&record).len(), record.attributes.len()), (1_024, 2));
        let (mut random, mut places) = (Random::new(2), [[0; NOISE]; 2]);
        places.iter_mut().for_each(|place| fill(&mut random, place));
        assert_ne!(places[0], places[1]);
        let words = places.as_flattened().split(|byte| *byte == b' ').filter(|word| !word.is_empty()).count();
        assert!((80..200).contains(&words), "{words} words");
        assert!(places.as_flattened().iter().all(|byte| LETTERS.contains(byte)) && !LETTERS.contains(&b'e') && !LETTERS.contains(&b'E'));
    }
}
