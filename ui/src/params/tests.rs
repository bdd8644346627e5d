use super::*;

const NOW: UnixNanos = UnixNanos::new(1_800_000_000_000_000_000);

#[test]
fn times_are_relative_or_rfc_3339_or_numbers_by_their_digits() {
    let at = |text: &str| parse_time(text, NOW).map(UnixNanos::get);
    assert_eq!(at("now"), Ok(NOW.get()));
    assert_eq!(at("now-15m"), Ok(NOW.get() - 900_000_000_000));
    assert_eq!(at("now-1h30m"), Ok(NOW.get() - 5_400_000_000_000));
    assert_eq!(at("now-1d"), Ok(NOW.get() - 86_400_000_000_000));
    assert_eq!(at("now+1s"), Ok(NOW.get() + 1_000_000_000));
    let expected = Ok(1_769_860_800_000_000_000);
    for text in [
        "2026-01-31T12:00:00Z",
        "2026-01-31T14:00:00+02:00",
        "2026-01-31T14:00:00 02:00",
        "2026-01-31T12:00",
        "1769860800",
        "1769860800000",
        "1769860800000000",
        "1769860800000000000",
    ] {
        assert_eq!(at(text), expected, "{text}");
    }
}

#[test]
fn wrong_times_are_refused_with_the_value() {
    for text in ["", "yesterday", "now-", "now-5", "now*5m", "nowhere", "1969-12-31T23:59:59Z", "99999999999999999999", "-5", "now-1y"] {
        let error = parse_time(text, NOW).unwrap_err();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn durations_are_written_as_in_go() {
    assert_eq!(parse_duration("1.2s"), Ok(1_200_000_000));
    assert_eq!(parse_duration("100ms"), Ok(100_000_000));
    assert_eq!(parse_duration("250µs"), Ok(250_000));
    assert_eq!(parse_duration("1h15m30.5s"), Ok(4_530_500_000_000));
    for text in ["", "5", "-1s", "1.2.3s", "s", "1y", "1e3s", "99999999999h"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

#[test]
fn the_window_defaults_and_refuses_a_reversed_one() {
    let window = Params::parse("").window(NOW, "now-1h").unwrap();
    assert_eq!(window.range, TimeRange { from: NOW.minus(3_600_000_000_000), to: NOW });
    assert_eq!((window.from.as_str(), window.to.as_str()), ("now-1h", "now"));
    let failure = Params::parse("from=now&to=now-1h").window(NOW, "now-1h").unwrap_err();
    assert!(failure.message.contains("later than `to`"), "{failure:?}");
}

#[test]
fn an_end_alone_has_the_default_window_before_it() {
    let hour = 3_600_000_000_000;
    let window = |query: &str, default: &str| Params::parse(query).window(NOW, default).unwrap();
    let earlier = window("to=now-2h", "now-1h");
    assert_eq!(earlier.range, TimeRange { from: NOW.minus(3 * hour), to: NOW.minus(2 * hour) });
    assert_eq!((earlier.from.as_str(), earlier.to.as_str()), (NOW.minus(3 * hour).get().to_string().as_str(), "now-2h"));
    assert_eq!(window("to=now", "now-1h"), window("", "now-1h"));
    // Spans of senders whose clock is ahead are looked for from the last hour on.
    let ahead = window("to=2200-01-01T00:00:00Z", "now-1h");
    assert_eq!((ahead.range.from, ahead.from.as_str()), (NOW.minus(hour), "now-1h"));
    assert_eq!(window("to=now-2h", "0").range, TimeRange { from: UnixNanos::new(0), to: NOW.minus(2 * hour) });
}

#[test]
fn limits_outside_their_bounds_are_refused() {
    assert_eq!(Params::parse("").limit(20, 1_000), Ok(20));
    assert_eq!(Params::parse("limit=").limit(20, 1_000), Ok(20));
    assert_eq!(Params::parse("limit=1000").limit(20, 1_000), Ok(1_000));
    for bad in ["0", "-1", "1001", "9223372036854775808", "1e3", "%00"] {
        let failure = Params::parse(&format!("limit={bad}")).limit(20, 1_000).unwrap_err();
        assert!(failure.message.contains("from 1 to 1000"), "{failure:?}");
    }
}

#[test]
fn query_strings_are_decoded_without_failing() {
    let params = Params::parse("q=a%20b%2Bc+d&q=2&bad=%zz%&bytes=%ff&flag");
    assert_eq!(params.get("q"), Some("a b+c d"));
    assert_eq!(params.all("q").count(), 2);
    assert_eq!(params.get("bad"), Some("%zz%"));
    assert_eq!(params.get("bytes"), Some("\u{fffd}"));
    assert_eq!(params.get("flag"), None);
}

#[test]
fn a_misspelt_parameter_is_refused_with_the_nearest_name() {
    let known = ["service", "limit", "from", "to"];
    let failure = Params::parse("sevice=a").refuse_unknown(&known).unwrap_err();
    assert_eq!((failure.code, failure.suggestions), ("unknown_parameter", vec!["service".to_owned()]));
    let failure = Params::parse("zzzzzz=a").refuse_unknown(&known).unwrap_err();
    assert!(failure.message.contains("there are service, limit"), "{failure:?}");
    let failure = Params::parse("foo=1").refuse_unknown(&known).unwrap_err();
    assert!(failure.suggestions.is_empty() && failure.message.contains("there are service"), "{failure:?}");
    assert!(Params::parse("service=a&limit=1").refuse_unknown(&known).is_ok());
}

#[test]
fn a_second_value_is_refused_where_there_is_one() {
    let known = ["service", "attr", "limit"];
    assert!(Params::parse("attr=a%3D1&attr=b%3D2&service=&service=x&limit=").refuse_unknown(&known).is_ok());
    let failure = Params::parse("limit=1&service=a&service=a").refuse_unknown(&known).unwrap_err();
    assert_eq!(failure.message, "parameter `service`: it is given more than once and takes one value");
}

#[test]
fn what_is_not_utf_8_and_what_is_too_much_is_refused_by_name() {
    assert_eq!(Params::read("q=%C3%A9&x").unwrap().get("q"), Some("é"));
    let failure = Params::read("a=1&q=x%ffy").unwrap_err();
    assert!(failure.message.starts_with("parameter `q`: its value is not text in UTF-8"), "{failure:?}");
    let failure = Params::read("%e9t%E9=1").unwrap_err();
    assert!(failure.message.starts_with("the name of parameter `\u{fffd}t\u{fffd}` is not"), "{failure:?}");
    assert!(Params::read(&"a=1&".repeat(1_000)).is_ok());
    assert!(Params::read(&"a=1&".repeat(1_001)).unwrap_err().message.contains("more than 1000"));
}

#[test]
fn words_are_matched_without_case_and_suggested() {
    let words = [("newest", 1), ("slowest", 2)];
    assert_eq!(Params::parse("order=Slowest").word("order", &words), Ok(Some(2)));
    assert_eq!(Params::parse("").word("order", &words), Ok(None));
    let failure = Params::parse("order=slow").word("order", &words).unwrap_err();
    assert_eq!(failure.suggestions, ["slowest"]);
}

#[test]
fn encoding_round_trips_through_decoding() {
    let text = "a b&c=d/é\"'<>%+#?\n";
    assert_eq!(Params::parse(&format!("x={}", encoded(text))).get("x"), Some(text));
}

#[test]
fn parts_of_a_window_are_whole_minutes() {
    const MINUTE: u64 = 60_000_000_000;
    let window = |from: u64, to: u64| {
        let range = TimeRange { from: UnixNanos::new(from), to: UnixNanos::new(to) };
        Window { range, from: "now-1h".to_owned(), to: "now".to_owned() }
    };
    let (range, parts) = window(600 * MINUTE, 661 * MINUTE + 7).parts(60);
    assert_eq!((range.to.since(range.from), parts), (62 * MINUTE, 31));
    let (range, parts) = window(600 * MINUTE, 615 * MINUTE).parts(60);
    assert_eq!((range.to.since(range.from), parts), (15 * MINUTE, 15));
    // 777 minutes each are told by nobody: half days, and from a day on days.
    let (range, parts) = window(600 * MINUTE, (600 + 34 * 1_440) * MINUTE).parts(64);
    assert_eq!((range.to.since(range.from), parts), (34 * 1_440 * MINUTE, 34));
    let (range, parts) = window(600 * MINUTE, (600 + 7 * 1_440) * MINUTE).parts(64);
    assert_eq!((range.to.since(range.from), parts), (7 * 1_440 * MINUTE, 56));
    assert_eq!(window(7, 61 * MINUTE).parts(60).1, 60, "a window that begins within a minute is divided as it is");
    assert!(window(0, u64::MAX).parts(60).1 <= 60);
    // Charts of an hour up to now have a bar for each minute; shorter ones have finer parts than that.
    let hour = |to: u64| Window { from: "now-1h".to_owned(), ..window(to - 60 * MINUTE, to) };
    let (range, bars) = hour(661 * MINUTE + 7).bars(60);
    assert_eq!((range.from.get() % MINUTE, range.to.since(range.from) / bars as u64, bars), (0, MINUTE, 61));
    let short = window(600 * MINUTE + 5, 615 * MINUTE);
    assert_eq!(short.bars(60), (short.range, 60));
}
