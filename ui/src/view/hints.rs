//! What a search that found nothing, or was not understood, was perhaps meant to be.

use storage::{Signal, nearest};

use super::format;
use super::link::{Links, quoted};
use super::search::pieces;

/// What is said, and the address that it leads to.
pub(crate) type Hint = (String, String);

/// What is said of a query that found nothing. `services` are all that are known.
pub(crate) fn of_nothing(signal: Signal, query: &str, services: &[String], links: &Links) -> Vec<Hint> {
    let at = |query: &str| if signal == Signal::Logs { links.logs(query).href() } else { links.traces(query).href() };
    let mut hints: Vec<Hint> = unknown_services(query, services).map(|hint| hint.led(query, links, at)).collect();
    hints.extend(one_word(signal, query).map(|mended| {
        let what = if signal == Signal::Logs { "records of that severity" } else { "traces with an error" };
        (format!("As a word it is looked for in texts; {what} are found by {mended}"), at(mended))
    }));
    hints.extend(other_language(query, links));
    hints
}

/// What is said of a text that another language would understand.
pub(crate) fn other_language(query: &str, links: &Links) -> Option<Hint> {
    let text = query.trim();
    let upper = text.to_ascii_uppercase();
    if (upper.starts_with("SELECT ") || upper.starts_with("WITH ")) && upper.contains(" FROM ") {
        return Some(("This looks like SQL: ask it in the SQL console".to_owned(), links.plain("/query").with("sql", text).href()));
    }
    let in_braces = text.starts_with('{') && text.contains('}');
    in_braces
        .then(|| ("Queries in braces belong to other languages: see how this one is written".to_owned(), links.plain("/help/query").href()))
}

/// A service that a query names and nothing is known of.
struct Unknown<'a> {
    /// As the query writes it.
    written: &'a str,
    name: &'a str,
    /// The one that was perhaps meant; else some of those that there are.
    meant: Result<String, String>,
}

fn unknown_services<'a>(query: &'a str, services: &'a [String]) -> impl Iterator<Item = Unknown<'a>> {
    let named = pieces(query).into_iter().filter_map(|piece| {
        let (before, rest) = piece.split_once("service:")?;
        // `peer.service:x` is another field, and `-service:x` excludes nothing.
        let written = rest.trim_end_matches(')');
        let name = written.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(written);
        let is_plain = !name.is_empty() && !name.contains(['*', ',', '\\', '"']);
        (is_plain && (before.is_empty() || before.ends_with('('))).then_some((written, name))
    });
    let is_unknown = move |(_, name): &(&str, &str)| !services.is_empty() && !services.iter().any(|known| known == name);
    named.filter(is_unknown).map(move |(written, name)| Unknown {
        written,
        name,
        meant: meant(name, services).ok_or_else(|| some(services)),
    })
}

/// The service whose name is nearest, if one is near.
fn meant(name: &str, services: &[String]) -> Option<String> {
    let lower = name.to_lowercase();
    let near = || nearest(&lower, services.iter().map(String::as_str)).into_iter().next();
    let within = || services.iter().find(|known| lower.len() > 2 && known.to_lowercase().contains(&lower)).cloned();
    services.iter().find(|known| known.to_lowercase() == lower).cloned().or_else(near).or_else(within)
}

fn some(services: &[String]) -> String {
    let names: Vec<String> = services.iter().take(LISTED).map(|name| format::line(name, 40)).collect();
    let more = services.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {} more", format::exact(more as u64)) } else { String::new() };
    format!("{}{more}", names.join(", "))
}

impl Unknown<'_> {
    fn led(&self, query: &str, links: &Links, at: impl Fn(&str) -> String) -> Hint {
        let name = format::line(self.name, 60);
        match &self.meant {
            Ok(meant) => {
                let mended = query.replacen(&format!("service:{}", self.written), &format!("service:{}", quoted(meant)), 1);
                (format!("No service is called “{name}”: search for {}", format::line(meant, 60)), at(&mended))
            }
            Err(known) => (format!("No service is called “{name}”; there are {known}"), links.windowed("/services").href()),
        }
    }
}

/// The condition that a query of one word was perhaps meant to be.
fn one_word(signal: Signal, query: &str) -> Option<&'static str> {
    Some(match (signal, query.trim().trim_matches('"').to_ascii_lowercase().as_str()) {
        (Signal::Traces, "error" | "errors" | "failed") => "status:error",
        (Signal::Logs, "error" | "errors") => "severity:error",
        (Signal::Logs, "warn" | "warning" | "warnings") => "severity:warn",
        (Signal::Logs, "fatal" | "critical") => "severity:fatal",
        (Signal::Logs, "info") => "severity:info",
        (Signal::Logs, "debug") => "severity:debug",
        _ => return None,
    })
}

/// Services that are named where none is near.
const LISTED: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(signal: Signal, query: &str) -> Vec<Hint> {
        let services = ["orders", "payment-api", "Cart"].map(str::to_owned);
        of_nothing(signal, query, &services, &Links::default())
    }

    #[test]
    fn services_that_there_are_not_are_told_with_the_nearest_one() {
        let first = |query: &str| told(Signal::Traces, query).into_iter().next().unwrap_or_default();
        assert_eq!(
            first("service:Orders a"),
            ("No service is called “Orders”: search for orders".to_owned(), "/traces?q=service%3Aorders%20a".to_owned())
        );
        assert_eq!(first("root:(service:\"paymnt-api\")").1, "/traces?q=root%3A%28service%3Apayment-api%29");
        assert_eq!(first("service:cart").1, "/traces?q=service%3ACart");
        assert_eq!(
            first("service:checkout"),
            ("No service is called “checkout”; there are orders, payment-api, Cart".to_owned(), "/services".to_owned())
        );
        for known in ["service:orders", "-service:x", "peer.service:x", "service:x*", "\"service:x", "service:"] {
            assert!(told(Signal::Traces, known).is_empty(), "{known}");
        }
    }

    #[test]
    fn words_and_texts_of_other_languages_lead_to_where_they_are_understood() {
        let only = |signal, query: &str| told(signal, query).pop().map(|(_, href)| href).unwrap_or_default();
        assert_eq!(only(Signal::Logs, " Error "), "/logs?q=severity%3Aerror");
        assert_eq!(only(Signal::Traces, "error"), "/traces?q=status%3Aerror");
        assert_eq!(only(Signal::Traces, "select * from spans"), "/query?sql=select%20%2A%20from%20spans");
        assert_eq!(only(Signal::Traces, "{ status = error }"), "/help/query");
        for plain in ["error x", "from", "select", "a {b}"] {
            assert!(told(Signal::Logs, plain).is_empty(), "{plain}");
        }
    }
}
