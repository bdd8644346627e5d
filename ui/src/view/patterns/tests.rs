use prost::Message as _;
use storage::Value;

use super::*;
use crate::harness::App;
use crate::view::link::Links;
use crate::view::trace::sample;

fn records(texts: &[&str]) -> Vec<LogRecord> {
    let record = |text: &&str| {
        let mut record = sample::record("cart");
        record.body = Value::String((*text).to_owned());
        record
    };
    texts.iter().map(record).collect()
}

fn shown(texts: &[&str]) -> Vec<(Vec<String>, String, String)> {
    let clock = Clockface::new(UnixNanos::new(1), None);
    let page = Links::default().plain("/logs");
    let rows = rows((&records(texts), None), TimeRange::ALL, ("", &page), &clock, &Palette::default());
    rows.into_iter().map(|row| (row.parts, row.count, row.href)).collect()
}

#[test]
fn texts_that_differ_in_numbers_and_words_are_one_pattern() {
    let found = shown(&["card 42 declined for anna", "card 77 declined for ben", "cache is warm", "card 1 declined for eve"]);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].0, ["card", "", "declined for", ""]);
    assert_eq!((found[0].1.as_str(), found[1].1.as_str()), ("3", "1"));
}

#[test]
fn a_hole_that_is_filled_alike_in_all_is_shown_filled_and_finds_others_too() {
    let found = shown(&["map 7 did not answer within 5000 ms for eu-south-1", "map 8 did not answer within 5000 ms for eu-south-1"]);
    assert_eq!(found[0].0, ["map", "", "did not answer within 5000 ms for eu-south-1"]);
    assert!(found[0].2.contains("within%5Cs%2B%5CS%2B%5Cs%2Bms"), "{}", found[0].2);
}

#[test]
fn a_pattern_of_whole_lines_finds_none_that_go_on() {
    let [short, long] = ["cache ready", "cache ready again"].map(|text| shown(&[text]).remove(0).2);
    assert_ne!(short, long);
    let cut = format!("cache {}", "x ".repeat(60));
    assert!(!shown(&[&cut])[0].2.contains("%24"), "what is cut has no end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_that_a_pattern_leads_to_are_those_that_it_counts() {
    let app = App::empty().await;
    for texts in [["cache ready", " cache  ready \nsecond line"], ["cache ready again", "cache not ready"]] {
        let mut sent = crate::harness::logs();
        for (record, text) in sent.resource_logs[0].scope_logs[0].log_records.iter_mut().zip(texts) {
            record.body.as_mut().unwrap().value = Some(crate::harness::text(text));
        }
        app.append(storage::Signal::Logs, sent.encode_to_vec()).await;
    }
    let href = shown(&["cache ready"]).remove(0).2;
    let query = href.split_once("q=").unwrap().1;
    let found = app.json(&format!("/api/v1/logs?q={query}&from=0")).await;
    assert_eq!(found["logs"].as_array().unwrap().len(), 2, "{href}");
}

#[test]
fn a_pattern_tells_its_severities_and_how_many_at_most_came_at_once() {
    let mut records = records(&["card 1 declined", "card 2 declined", "card 3 declined"]);
    for (record, (number, time)) in records.iter_mut().zip([(17, 100), (9, 101), (9, 190)]) {
        (record.severity_number, record.time) = (number, UnixNanos::new(time));
    }
    let window = TimeRange { from: UnixNanos::new(0), to: UnixNanos::new(190) };
    let period = period(&records, true, TimeRange { to: UnixNanos::new(191), ..window });
    assert_eq!((period.from.get(), super::period(&records, false, window)), (100, window));
    let page = Links::default().plain("/logs");
    let row = rows((&records, None), period, ("", &page), &Clockface::new(UnixNanos::new(1), None), &Palette::default()).remove(0);
    assert_eq!(row.severities, [("I", "sev-info", "2 info".to_owned()), ("E", "sev-error", "1 error".to_owned())]);
    assert_eq!((row.peak.as_str(), row.trend.path.matches('M').count()), ("2", 2));
}

#[test]
fn a_pattern_is_new_when_nothing_before_was_like_it() {
    let (clock, page) = (Clockface::new(UnixNanos::new(1), None), Links::default().plain("/logs"));
    let new = |before: Option<&[&str]>| {
        let now = records(&["card 1 declined", "pool of db is empty", "pool of cache is empty"]);
        let before = before.map(records);
        let rows = rows((&now, before.as_deref()), TimeRange::ALL, ("", &page), &clock, &Palette::default());
        rows.into_iter().filter(|row| row.is_new).map(|row| row.parts.concat()).collect::<Vec<_>>()
    };
    assert_eq!(new(Some(&["card 7 declined"])), ["pool ofis empty"]);
    assert_eq!(new(Some(&["card 7 declined", "pool of x is empty"])), [""; 0]);
    assert_eq!(new(Some(&[])).len(), 2);
    assert!(new(None).is_empty(), "nothing is known of before");
}

#[test]
fn a_pattern_leads_to_its_records_by_a_regular_expression() {
    let found = shown(&["GET /a?x=(b) took 5ms"]);
    let query = r#"body~"^\s*GET\s+/a\?x=\(b\)\s+took\s+\S+[^\S\r\n]*(?:$|[\r\n])""#;
    assert_eq!(found[0].2, Links::default().plain("/logs").with("q", query).href());
}

#[test]
fn what_stands_in_quotes_is_one_hole_however_many_words_it_has() {
    let found =
        shown(&["search for \"chess\" found 3", "search for \"hiking boots size 43\" found 12", "search for \"red bicycle\" found 0"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, ["search for", "", "found", ""]);
    let query = r#"body~"^\s*search\s+for\s+(?:[^\s\"]*\"[^\"]*\"\S*|\S+)\s+found\s+\S+[^\S\r\n]*(?:$|[\r\n])""#;
    assert_eq!(found[0].2, Links::default().plain("/logs").with("q", query).href());
}

#[test]
fn a_pattern_without_a_fixed_word_leads_nowhere() {
    let found = shown(&["=HYPERLINK(\"http://e\")", "17", "18"]);
    assert_eq!(found, [(vec![String::new()], "3".to_owned(), String::new())]);
}

#[test]
fn of_json_the_keys_and_the_words_of_its_texts_stay() {
    let found = shown(&[
        r#"{"level":"info","msg":"done 3","n":3}"#,
        r#"{"level":"info","msg":"done 44","n":-1}"#,
        r#"{"level":"info","msg":"cart is cold","n":3}"#,
        r#"{"level":"info","n":3}"#,
        r#"{"level": "warn", "said": "a \"quoted\" word", "of": [true, {"x": ""}]}"#,
    ]);
    let told: Vec<_> = found.iter().map(|(parts, count, _)| (parts.join("*").replace("**", "*"), count.as_str())).collect();
    let expected = [
        (r#"{"level":"info","msg":"done**","n":**}"#, "2"),
        (r#"{"level":"info","msg":"cart is cold","n":3}"#, "1"),
        (r#"{"level":"info","n":3}"#, "1"),
        (r#"{"level": "warn", "said": "a \"quoted\" word", "of": [true, {"x": ""}]}"#, "1"),
    ];
    for (text, count) in expected {
        let text = text.replace("**", "*");
        assert!(told.iter().any(|(known, times)| *known == text && *times == count), "{text}: {told:?}");
    }
    let value = r#"(?:[^\s\"\\]|\\.)+"#;
    let query =
        format!(r#"body~"^\s*\{{\"level\":\"\s*info\s*\",\"msg\":\"\s*done\s+{value}\s*\",\"n\":\s*{value}\s*\}}[^\S\r\n]*(?:$|[\r\n])""#);
    assert_eq!(found[0].2, Links::default().plain("/logs").with("q", &query).href());
}

#[test]
fn new_patterns_are_put_first() {
    let row = |count: &str, is_new| PatternRow { count: count.to_owned(), is_new, ..PatternRow::default() };
    let mut rows = [row("9", false), row("5", true), row("3", false), row("1", true)];
    new_first(&mut rows);
    assert_eq!(rows.map(|row| row.count), ["5", "1", "9", "3"]);
}
