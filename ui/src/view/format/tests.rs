use super::*;

fn plain(text: &str) -> String {
    text.replace([NNBSP, NBSP], " ")
}

#[test]
fn a_page_of_a_list_says_whether_it_is_a_later_one_and_whether_it_is_the_last() {
    let told = |n, is_later, has_more| {
        let (records, end) = of_page(n, "record", "records", is_later, has_more);
        format!("{records}{end}").replace(NBSP, " ")
    };
    assert_eq!(told(3, false, false), "3 records");
    assert_eq!(told(50, true, true), "50 more records, more follow");
    assert_eq!(told(1, true, false), "1 more record, the last of them");
    assert_eq!(told(0, true, false), "0 more records");
}

#[test]
fn durations_in_queries_are_exact() {
    let cases = [
        (0, "0ns"),
        (999, "999ns"),
        (1_000, "1us"),
        (1_050, "1.05us"),
        (287_309_824, "287.309824ms"),
        (1_500_000_000, "1.5s"),
        (60_000_000_001, "60.000000001s"),
    ];
    for (nanos, text) in cases {
        assert_eq!(written(nanos), text);
    }
}

#[test]
fn durations_have_three_digits_and_a_unit_of_their_own() {
    let cases: [(u64, &str); 15] = [
        (0, "0 ns"),
        (812, "812 ns"),
        (41_300, "41.3 µs"),
        (999_949, "1.00 ms"),
        (2_100_000, "2.10 ms"),
        (9_999_000, "10.0 ms"),
        (999_400_000, "999 ms"),
        (999_600_000, "1.00 s"),
        (1_240_000_000, "1.24 s"),
        (59_990_000_000, "1 min 00 s"),
        (125_000_000_000, "2 min 05 s"),
        (11_520_000_000_000, "3 h 12 min"),
        (100_000_000_000_000, "27 h 47 min"),
        (360_000_000_000_000, "4 d 04 h"),
        (u64::MAX, "213503 d 23 h"),
    ];
    for (nanos, expected) in cases {
        assert_eq!(plain(&duration(nanos)), expected, "{nanos}");
    }
}

#[test]
fn round_durations_are_written_without_zeros() {
    let second = 1_000_000_000;
    for (nanos, expected) in [
        (5_000_000, "5 ms"),
        (2_500_000_000, "2.5 s"),
        (600 * second, "10 min"),
        (36 * 3_600 * second, "36 h"),
        (14 * 86_400 * second, "14 d"),
        (90 * second, "1 min 30 s"),
        (0, "0 ns"),
    ] {
        assert_eq!(plain(&round_duration(nanos)), expected);
    }
    assert_eq!((each(60 * second).as_str(), plain(&each(300 * second)).as_str()), ("minute", "5 min"));
}

#[test]
fn counts_stay_exact_below_ten_thousand() {
    for (n, expected) in [(0, "0"), (9_412, "9,412"), (12_400, "12.4 k"), (999_600, "1.00 M"), (3_100_000, "3.10 M")] {
        assert_eq!(plain(&count(n)), expected, "{n}");
    }
    assert_eq!(exact(1_234_567), "1,234,567");
    assert_eq!(plain(&counted(1, "span", "spans")), "1 span");
}

#[test]
fn shares_say_zero_only_for_zero() {
    for (part, whole, expected) in [
        (0, 10, "0 %"),
        (1, 100_000, "<0.01 %"),
        (42, 10_000, "0.42 %"),
        (1, 3, "33.3 %"),
        (3, 20, "15.0 %"),
        (1, 20, "5.00 %"),
        (3, 3, "100 %"),
        (99_999, 100_000, ">99.9 %"),
        (0, 0, "—"),
    ] {
        assert_eq!(plain(&percent(part, whole)), expected);
    }
}

#[test]
fn rates_choose_their_unit_of_time() {
    let minute = 60_000_000_000;
    assert_eq!(rate(744, minute), "12.4/s");
    assert_eq!(rate(3, minute), "3/min");
    assert_eq!(rate(120, 20 * minute), "0.10/s");
    assert_eq!(
        (rate(1, 61 * minute), rate(40, 61 * minute), rate(9, 5 * minute)),
        ("1/h".to_owned(), "39/h".to_owned(), "1.8/min".to_owned())
    );
    assert_eq!((plain(&rate(1, 15 * minute)).as_str(), plain(&rate(1, 90 * 60 * minute)).as_str()), ("1 in 15 min", "1 in 90 h"));
    assert_eq!((plain(&rate(1, 77_000_000_000)).as_str(), plain(&rate(1, 16 * minute - 3)).as_str()), ("1 in 77 s", "1 in 15 min"));
    assert_eq!(rate(0, minute), "0", "what is none is none in each unit");
    assert_eq!(rate(1, 0), "—");
}

#[test]
fn sizes_are_binary() {
    assert_eq!(plain(&bytes(812)), "812 B");
    assert_eq!(plain(&bytes(4_200)), "4.10 KiB");
    assert_eq!(plain(&bytes(3 << 30)), "3.00 GiB");
}

#[test]
fn plain_numbers_have_four_digits() {
    let all = [0.0, 3.0, -2.0, 0.35, 0.123_456, 12.345_6, 123.456, 1_234.56, 123_456.7, 1e18, 0.000_001, -0.5];
    let expected = ["0", "3", "−2", "0.35", "0.1235", "12.35", "123.5", "1235", "123,457", "1.000e18", "1.000e-6", "−0.5"];
    assert_eq!(all.map(number), expected);
}
