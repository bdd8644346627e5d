use std::fs;
use std::path::PathBuf;

use super::*;

fn load(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("throughline.toml");
    fs::write(&path, file).unwrap();
    let flags = Flags { values: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(), ..Flags::default() };
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::from_layers(&flags, environment, &path).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn nothing_written_is_the_default() {
    let config = load("", &[], &[]).unwrap();
    assert_eq!(config.pages.listen.to_string(), "127.0.0.1:16686");
    assert_eq!(config.collector.grpc.unwrap().to_string(), "127.0.0.1:4317");
    assert_eq!(config.storage.data_dir, PathBuf::from("./throughline-data"));
    let storage = storage::Config::new(PathBuf::new());
    let shares = Shares::of(memory::limit(), None);
    assert_eq!((config.storage.buffer_bytes, config.storage.max_buffer_bytes), (shares.buffer, shares.buffer * 4));
    assert_eq!((config.storage.flush_interval, config.storage.min_free_bytes), (storage.flush_interval, storage.min_free_bytes));
    assert_eq!((config.storage.query_timeout, config.storage.query_memory_bytes), (storage.query_timeout, shares.query));
    assert_eq!((config.storage.concurrent_queries, config.storage.retention), (storage.concurrent_queries, storage.retention));
    assert_eq!((config.collector.max_message_bytes, config.collector.in_flight_bytes), (shares.message, shares.in_flight));
    assert!(config.demo.is_none());
}

#[test]
fn more_questions_at_once_than_memory_has_room_for_are_told_and_the_defaults_never_are() {
    let mut config = load("", &[], &[]).unwrap();
    for mib in [64, 128, 256, 512, 768, 1_024, 1_535, 1_536, 4_096, 65_536] {
        let shares = Shares::of(Some(mib << 20), None);
        config.storage.memory_limit_bytes = Some(mib << 20);
        (config.storage.max_buffer_bytes, config.storage.query_memory_bytes) = (4 * shares.buffer, shares.query);
        (config.storage.concurrent_queries, config.collector.in_flight_bytes) = (shares.questions, shares.in_flight);
        assert_eq!(config.warnings().next(), None, "{mib} MiB");
        if mib == 512 {
            config.storage.concurrent_queries = 3;
            assert_eq!(config.warnings().next(), None);
            config.storage.concurrent_queries = 4;
            let warning = config.warnings().next().unwrap();
            assert!(warning.starts_with("concurrent_queries is 4, and 512 MiB of memory have room for 3 at once"), "{warning}");
        }
    }
    (config.storage.memory_limit_bytes, config.storage.concurrent_queries) = (None, 1_000);
    assert_eq!(config.warnings().next(), None, "without a limit there is room");
}

#[test]
fn most_of_a_byte_budget_is_for_data_also_with_another_buffer() {
    for (disk, buffer) in [("24MiB", None), ("24MiB", Some("2MiB")), ("64MiB", Some("4MiB")), ("2GiB", Some("1MiB")), ("2GiB", None)] {
        let flags: Vec<_> =
            [("max_disk_bytes", Some(disk)), ("buffer_bytes", buffer)].into_iter().filter_map(|(k, v)| Some((k, v?))).collect();
        let storage = load("", &[], &flags).unwrap().storage;
        let (max, set_aside) = (storage.max_disk_bytes.unwrap(), storage.smallest_disk() - 3 * storage.buffer_bytes as u64);
        assert!((max - set_aside) * 10 >= max * 6, "{disk} {buffer:?}: {set_aside}");
    }
}

#[test]
fn less_free_disk_than_a_flush_may_need_is_told_with_what_is_kept() {
    let told = |least: &str| load("", &[], &[("buffer_bytes", "8MiB"), ("min_free_bytes", least)]).unwrap().warnings().collect::<Vec<_>>();
    let [warning] = told("1MiB").try_into().unwrap();
    assert!(warning.starts_with("min_free_bytes is 1048576, and 9 MiB are kept free all the same"), "{warning}");
    assert!(told("9MiB").is_empty());
}

#[test]
fn a_flag_wins_over_the_environment_and_the_environment_over_the_file() {
    let file = "buffer_bytes = \"1MiB\"\nflush_interval = \"1s\"\nquery_timeout = \"1s\"\n";
    let environment = [("THROUGHLINE_FLUSH_INTERVAL", "2s"), ("THROUGHLINE_QUERY_TIMEOUT", "2s"), ("PATH", "/bin")];
    let config = load(file, &environment, &[("query_timeout", "3s")]).unwrap();
    let seconds = Duration::from_secs;
    assert_eq!((config.storage.buffer_bytes, config.storage.max_buffer_bytes), (1 << 20, 4 << 20));
    assert_eq!((config.storage.flush_interval, config.storage.query_timeout), (seconds(2), seconds(3)));
}

#[test]
fn the_file_that_was_read_is_known() {
    assert!(load("", &[], &[]).unwrap().file.unwrap().ends_with("throughline.toml"));
    let nowhere = Config::from_layers(&Flags::default(), std::iter::empty(), Path::new("/nowhere/throughline.toml")).unwrap();
    assert_eq!(nowhere.file, None);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let file = "otlp_gprc = \"x\"\n\nretention = \"soon\"\n[ui]\nport = 3\n";
    let environment = [("THROUGHLINE_BUFFER_BYTES", "much"), ("THROUGHLINE_DATADIR", "x")];
    let said = load(file, &environment, &[("query_timeout", "-1")]).unwrap_err();
    for part in [
        "throughline.toml:1: `otlp_gprc`: no such setting; did you mean `otlp_grpc`?",
        "throughline.toml:3: `retention`: `soon` is not a duration",
        "throughline.toml:4: `ui` is a table",
        "THROUGHLINE_BUFFER_BYTES: `much` is not a size",
        "THROUGHLINE_DATADIR: no such variable; did you mean `THROUGHLINE_DATA_DIR`?",
        "--query-timeout: `-1` is not a duration",
    ] {
        assert!(said.contains(part), "{part}\nis not in\n{said}");
    }
    assert_eq!(said.lines().count(), 7, "{said}");
    let places = |said: &str| said.lines().filter_map(|line| line.split("toml:").nth(1)?.get(..1)?.parse::<u32>().ok()).collect::<Vec<_>>();
    assert_eq!(places(&said), [1, 3, 4]);
}

#[test]
fn a_word_that_is_no_level_is_not_taken_for_a_part_of_the_program() {
    for (filter, is_fine) in [("warn,collector=debug", true), ("INFO", true), ("verbos", false), ("info,collector", false)] {
        assert_eq!(load("", &[], &[("log", filter)]).is_ok(), is_fine, "{filter}");
    }
}

#[test]
fn values_that_no_setting_takes_are_called_by_their_kind() {
    let said = load("ui = 2026-11-21\ncors_origins = [1, 2]\n", &[], &[]).unwrap_err();
    for part in ["throughline.toml:1: `ui` is a date, not", "throughline.toml:2: `cors_origins` is a list of other things, not"] {
        assert!(said.contains(part), "{part}\nis not in\n{said}");
    }
}

#[test]
fn broken_toml_names_its_lines_and_does_not_hide_the_others() {
    let said = load("demo = true\nlog = \"info\nsync = \"often\"\nui 127.0.0.1:80\n", &[], &[("demo_rate", "0")]).unwrap_err();
    for part in [
        "throughline.toml:2: not TOML: ",
        "throughline.toml:3: `sync`: neither `group`",
        "throughline.toml:4: not TOML: ",
        "--demo-rate: `0`",
    ] {
        assert!(said.contains(part), "{part}\nis not in\n{said}");
    }
    assert_eq!(said.lines().count(), 5, "{said}");
}

#[test]
fn a_file_that_is_not_toml_at_all_is_one_mistake() {
    for text in ["ui: 127.0.0.1:80\nlog: debug\n", "{\"ui\": \"127.0.0.1:80\"}", "\n<html>\n<body>\n", "serve --demo", "\u{1}\u{2}\nx"] {
        let said = load(text, &[], &[]).unwrap_err();
        assert_eq!(said.lines().count(), 2, "{text}: {said}");
        let place = if text.starts_with('\n') { "throughline.toml:2: this is not TOML" } else { "throughline.toml:1: this is not TOML" };
        assert!(said.contains(place), "{text}: {said}");
    }
}

#[test]
fn a_file_that_is_no_text_is_one_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let [bytes, long] = ["bytes", "long"].map(|name| folder.path().join(name));
    fs::write(&bytes, b"ui = \"\xff\"").unwrap();
    fs::write(&long, vec![b'#'; (1 << 20) + 1]).unwrap();
    for (file, part) in [(bytes, "is not text in UTF-8"), (long, "is larger than 1 MiB"), (folder.path().to_owned(), "cannot be read: ")] {
        let flags = Flags { config: Some(file.clone()), ..Flags::default() };
        let said = Config::from_layers(&flags, std::iter::empty(), &file).unwrap_err().to_string();
        assert!(said.contains(part) && said.lines().count() == 2, "{said}");
    }
}

#[test]
fn an_address_without_its_machine_is_answered_with_the_one_that_was_meant() {
    for (key, written, meant) in [
        ("ui", "16686", "127.0.0.1:16686 or 0.0.0.0:16686"),
        ("ui", ":9000", "127.0.0.1:9000 or"),
        ("ui", "here", "127.0.0.1:16686 or"),
        ("otlp_http", "everywhere", "127.0.0.1:4318 or 0.0.0.0:4318, nor `off`"),
        ("otlp_grpc", "99999", "127.0.0.1:4317 or"),
    ] {
        let said = load("", &[], &[(key, written)]).unwrap_err();
        assert!(said.contains(&format!("`{written}` is not an address such as {meant}")), "{said}");
    }
}

#[test]
fn origins_of_browsers_are_a_scheme_and_a_host() {
    let origins =
        "https://app.example.com, http://localhost:*, https://*.example.com:8443/, http://[::1]:3000, chrome-extension://abcdef, *";
    assert_eq!(load("", &[], &[("cors_origins", origins)]).unwrap().collector.cors_origins.len(), 6);
    for wrong in [
        "nope",
        "https://",
        "example.com",
        "https://a/b",
        "null",
        "https://a:0",
        "https://a:99999",
        "https://a b",
        "://a",
        "http://[x]",
        "https://a?b",
    ] {
        let said = load("", &[], &[("cors_origins", &format!("https://fine.example, {wrong}"))]).unwrap_err();
        assert!(said.contains(&format!("--cors-origins: `{wrong}` is not an origin")), "{wrong}: {said}");
    }
}

#[test]
fn listening_everywhere_moves_only_what_nobody_wrote() {
    let config = load("ui = \"127.0.0.1:8000\"\notlp_http = \"off\"\nlisten_all = true\n", &[], &[]).unwrap();
    assert_eq!(config.pages.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.collector.grpc.unwrap().to_string(), "0.0.0.0:4317");
    assert_eq!(config.collector.http, None);
}

#[test]
fn settings_that_contradict_each_other_are_mistakes() {
    let said =
        load("in_flight_bytes = \"1MiB\"\n", &[], &[("max_buffer_bytes", "1KiB"), ("demo", "true"), ("otlp_grpc", "off")]).unwrap_err();
    for part in [
        "throughline.toml:1: `in_flight_bytes`: smaller than max_message_bytes",
        "--max-buffer-bytes: smaller than buffer_bytes",
        "--otlp-grpc: off, but",
    ] {
        assert!(said.contains(part), "{part}\nis not in\n{said}");
    }
}

#[test]
fn lists_may_be_written_as_lists_or_with_commas() {
    let config =
        load("cors_origins = [\"https://a.example\", \"https://b.example\"]\n", &[("THROUGHLINE_ALLOWED_HOSTS", "a, b")], &[]).unwrap();
    assert_eq!(config.collector.cors_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.pages.allowed_hosts, ["a", "b"]);
    // As docker-compose.yml advises.
    let config = load("", &[("THROUGHLINE_ALLOWED_HOSTS", "localhost,throughline")], &[]).unwrap();
    assert_eq!(config.pages.allowed_hosts, ["localhost", "throughline"]);
}

#[test]
fn retention_is_written_once_per_signal_or_by_rule() {
    let file = "retention = \"30d\"\nretention_logs = \"7d\"\nretention_keep = \"traces: status=error for 1y; logs: severity>=error for forever\"\n";
    let retention = load(file, &[], &[]).unwrap().storage.retention;
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    assert_eq!((retention.traces, retention.logs), (days(30), days(7)));
    let rules: Vec<_> = retention.rules.iter().map(|rule| (rule.query.as_str(), rule.keep)).collect();
    assert_eq!(rules, [("status=error", days(365)), ("severity>=error", None)]);
    for (rules, part) in [
        ("status=error for 1y", "is not a rule"),
        ("traces: status=error for soon", "is not a duration"),
        ("traces: status= for 1y", "`status=`: "),
        ("traces: status=error for 1d", "keeps no longer"),
        ("traces: status=error for 90d, service=a for 90d", "says `for` twice"),
    ] {
        let said = load("retention = \"30d\"\n", &[], &[("retention_keep", rules)]).unwrap_err();
        assert!(said.contains(part) && said.contains("--retention-keep"), "{said}");
    }
    // Each that is wrong is told, and only those.
    let rules = "nonsense; traces: status=error for 1y; traces: status= for 1y; logs: a for soon; traces: b for 1d";
    let said = load("retention = \"30d\"\n", &[], &[("retention_keep", rules)]).unwrap_err();
    assert_eq!(said.matches("--retention-keep: ").count(), 4, "{said}");
    let said = load("retention_logs = \"soon\"\n", &[], &[("retention_keep", "logs: a for 1y")]).unwrap_err();
    assert!(said.contains("toml:1: `retention_logs`: `soon`") && said.lines().count() == 2, "{said}");
    load("retention = \"30d\"\n", &[], &[("retention_keep", "logs: \"waited for 5s now\" for 90d")]).unwrap();
}

#[test]
fn a_byte_budget_that_the_buffer_does_not_fit_into_is_a_mistake_and_the_default_buffer_fits() {
    let said = load("", &[], &[("max_disk_bytes", "64MiB"), ("buffer_bytes", "96MiB")]).unwrap_err();
    assert!(said.contains("--max-disk-bytes: 67108864 bytes are too little"), "{said}");
    let config = load("", &[], &[("max_disk_bytes", "64MiB")]).unwrap();
    assert_eq!((config.storage.max_disk_bytes, config.storage.buffer_bytes), (Some(64 << 20), 2 << 20));
}

#[test]
fn what_kubernetes_says_of_a_service_of_this_name_is_no_setting() {
    let address = "tcp://10.0.0.7:16686";
    let of_service = [
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_OTLP_GRPC",
        "PORT",
        "PORT_4317_TCP",
        "PORT_4317_TCP_PROTO",
        "PORT_4317_TCP_PORT",
        "PORT_4317_TCP_ADDR",
        "PORT_53_UDP_ADDR",
    ];
    for name in of_service {
        load("", &[(&format!("THROUGHLINE_{name}"), address)], &[]).unwrap();
    }
    for name in ["SERVICE", "SERVICE_HOSTS", "SERVICE_PORT_", "PORTS", "PORT_4317", "PORT_X_TCP", "PORT_4317_TCP_NAME", "UI_PORT"] {
        let said = load("", &[(&format!("THROUGHLINE_{name}"), address)], &[]).unwrap_err();
        assert!(said.contains("no such variable"), "{name}: {said}");
    }
}

#[test]
fn a_prefix_or_a_host_that_could_not_be_used_is_a_mistake_among_the_others() {
    let said = load("base_path = \"nope\"\nsync = \"often\"\n", &[], &[("allowed_hosts", "a.example, http://x")]).unwrap_err();
    for part in [
        "throughline.toml:1: `base_path`: the base path `nope` must be like",
        "throughline.toml:2:",
        "--allowed-hosts: `http://x` is not a host name",
    ] {
        assert!(said.contains(part), "{part}\nis not in\n{said}");
    }
    for wrong in ["a:80", "*.example.com", "a/b"] {
        assert!(load("", &[], &[("allowed_hosts", wrong)]).is_err(), "{wrong}");
    }
    let pages = load("base_path = \"/tl/\"\n", &[], &[("allowed_hosts", "*, my-host.local, [::1]")]).unwrap().pages;
    assert_eq!((pages.base_path.as_str(), pages.allowed_hosts.len()), ("/tl", 3));
}

#[test]
fn two_parts_at_one_address_are_a_mistake() {
    let said = load("otlp_grpc = \"127.0.0.1:5000\"\n", &[], &[("ui", "0.0.0.0:5000")]).unwrap_err();
    assert!(said.contains("throughline.toml:1: `otlp_grpc`: 127.0.0.1:5000 is taken by ui already"), "{said}");
    let said = load("", &[], &[("otlp_http", "127.0.0.1:4317")]).unwrap_err();
    assert!(said.contains("--otlp-http: 127.0.0.1:4317 is taken by otlp_grpc already"), "{said}");
    for fine in ["127.0.0.1:0", "127.0.0.2:5000", "[::]:5000", "off"] {
        load("ui = \"127.0.0.1:5000\"\notlp_http = \"127.0.0.1:0\"\n", &[], &[("otlp_grpc", fine)]).unwrap();
    }
}
