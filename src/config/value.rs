//! How values are written: sizes, durations, addresses, lists. Each function names what it wanted when it did not get it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use storage::{KeepRule, Signal};

/// `250ms`, `60s`, `15m`, `1h`, `7d`; not zero.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wanted = || format!("`{text}` is not a duration such as 250ms, 60s, 15m, 1h or 7d");
    let (number, unit) = split(text).ok_or_else(wanted)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wanted()),
    };
    if number == 0 {
        return Err(format!("`{text}` is no time at all; the least is 1ms"));
    }
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wanted)
}

/// How long something is kept; for ever when nothing is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) Option<Duration>);

impl Default for Age {
    /// Stands in for one that is wrong: with no time at all, rules that keep longer are not called wrong too.
    fn default() -> Self {
        Self(Some(Duration::ZERO))
    }
}

/// `30d`, `1y` or `forever`.
pub(crate) fn age(text: &str) -> Result<Age, String> {
    let years = text.strip_suffix('y').and_then(|years| years.trim().parse::<u64>().ok()).filter(|years| (1..=200).contains(years));
    match (text, years) {
        ("forever", _) => Ok(Age(None)),
        (_, Some(years)) => Ok(Age(Some(Duration::from_secs(years * 365 * 86_400)))),
        _ => duration(text).map(|age| Age(Some(age))).map_err(|wanted| format!("{wanted}, nor 1y or `forever`")),
    }
}

/// The parts of a list such as `traces: status=error for 90d; logs: severity>=error for 1y`.
pub(crate) fn rules(text: &str) -> Vec<&str> {
    text.split(';').map(str::trim).filter(|rule| !rule.is_empty()).collect()
}

/// `traces: status=error for 90d`.
pub(crate) fn keep_rule(text: &str) -> Result<KeepRule, String> {
    let wanted = || format!("`{text}` is not a rule such as `traces: status=error for 90d`");
    let (signal, rest) = text.split_once(':').ok_or_else(wanted)?;
    let signal = match signal.trim() {
        "traces" => Signal::Traces,
        "logs" => Signal::Logs,
        _ => return Err(wanted()),
    };
    let (query, keep) = rest.rsplit_once(" for ").ok_or_else(wanted)?;
    // As when rules have commas between them: the rest would be words to search for.
    if let Some((before, next)) = query.rsplit_once(" for ")
        && before.matches('"').count().is_multiple_of(2)
        && age(next.split([',', ' ']).next().unwrap_or_default()).is_ok()
    {
        let example = "`traces: status=error for 90d; traces: duration>1s for 90d`";
        return Err(format!("`{text}` says `for` twice; rules have semicolons between them, such as {example}"));
    }
    Ok(KeepRule { signal, query: query.trim().to_owned(), keep: age(keep.trim())?.0 })
}

/// `1024`, `64KiB`, `96MiB`, `1GiB`; not zero.
pub(crate) fn bytes64(text: &str) -> Result<u64, String> {
    let wanted = || format!("`{text}` is not a size such as 262144, 64KiB, 96MiB or 1GiB");
    let (number, unit) = split(text).ok_or_else(wanted)?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wanted()),
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0).ok_or_else(wanted)
}

/// A size that fits into memory.
pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    usize::try_from(bytes64(text)?).map_err(|_| format!("`{text}` is more than this machine can address"))
}

/// `1000` or `1_000`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| format!("`{text}` is not a number such as 1000000"))
}

/// A number from 1 to 1,024.
pub(crate) fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| (1..=1024).contains(number)).ok_or_else(|| format!("`{text}` is not a number from 1 to 1024"))
}

/// A number from 0.01 to 1,000.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|rate| (0.01..=1_000.0).contains(rate)).ok_or_else(|| format!("`{text}` is not a number from 0.01 to 1000"))
}

/// `true` or `false`.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither `true` nor `false`"))
}

/// `127.0.0.1:4317`, `[::1]:4317`, `localhost:4317`. What is said of others names `usual_port`, or the port that was written.
pub(crate) fn address(text: &str, usual_port: u16) -> Result<Option<SocketAddr>, String> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    let port = text.trim_start_matches(':').parse().unwrap_or(usual_port);
    numeric.parse().map(Some).map_err(|_| format!("`{text}` is not an address such as 127.0.0.1:{port} or 0.0.0.0:{port}"))
}

/// An address, or `off`.
pub(crate) fn address_or_off(text: &str, usual_port: u16) -> Result<Option<SocketAddr>, String> {
    if text == "off" { Ok(None) } else { address(text, usual_port).map_err(|wanted| format!("{wanted}, nor `off`")) }
}

/// A folder; not empty.
pub(crate) fn folder(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("the folder has no name".to_owned()) } else { Ok(PathBuf::from(text)) }
}

/// `a, b, c`.
pub(crate) fn list(text: &str) -> Result<Vec<String>, String> {
    Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

/// `*`, or names of hosts without scheme and port.
pub(crate) fn hosts(text: &str) -> Result<Vec<String>, String> {
    let hosts = list(text)?;
    match hosts.iter().find(|host| !is_host(host)) {
        Some(wrong) => Err(format!(
            "`{wrong}` is not a host name: write it without scheme and port, such as traces.example.com, or `*` for every name"
        )),
        None => Ok(hosts),
    }
}

fn is_host(text: &str) -> bool {
    let is_name = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    text == "*" || is_name || text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

/// `*`, or origins of pages such as `https://app.example.com:8443`, in which a `*` stands for a part of the host or port.
pub(crate) fn origins(text: &str) -> Result<Vec<String>, String> {
    let origins = list(text)?;
    match origins.iter().find(|origin| !is_origin(origin)) {
        Some(wrong) => {
            Err(format!("`{wrong}` is not an origin: write scheme://host or scheme://host:port, such as https://*.example.com, or `*`"))
        }
        None => Ok(origins),
    }
}

fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (rest, "*"),
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let is_name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*'));
    let is_address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
    let is_port = port == "*" || port.parse::<u16>().is_ok_and(|port| port > 0);
    is_scheme && (is_name || is_address) && is_port
}

/// Nothing when nothing is written.
pub(crate) fn optional<T>(read: fn(&str) -> Result<T, String>) -> impl Fn(&str) -> Result<Option<T>, String> {
    move |text| if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

/// `15min` as 15 and `min`.
fn split(text: &str) -> Option<(u64, &str)> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(unit_at)?;
    Some((number.replace('_', "").parse().ok()?, unit.trim()))
}
