//! What the search box does with a text after `>`: goes to a page, or changes how pages are shown.
//!
//! Commands read and prefer; none changes what is stored.

use super::super::Visit;
use crate::error::Failure;
use crate::params::{nearest, shown};

/// Words after which something is done, where that leads, and whether it is shown in the reader's window.
const COMMANDS: [(&str, &str, bool); 19] = [
    ("home", "/", true),
    ("services", "/services", true),
    ("traces", "/traces", true),
    ("errors", "/traces?q=status%3Aerror", false),
    ("map", "/map", true),
    ("logs", "/logs", true),
    ("sql", "/query", false),
    ("saved", "/saved", false),
    ("status", "/status", false),
    ("compare", "/compare", false),
    ("start", "/start", false),
    ("settings", "/settings", false),
    ("help", "/help", false),
    ("keys", "/help/shortcuts", false),
    ("language", "/help/query", false),
    ("theme dark", "/preferences?theme=dark", false),
    ("theme light", "/preferences?theme=light", false),
    ("theme system", "/preferences?theme=system", false),
    ("zone utc", "/preferences?zone=UTC", false),
];

/// All of them.
pub(in crate::pages) fn words() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(word, ..)| *word)
}

/// Where a command leads: the one of that name, or the only one that begins so.
///
/// # Errors
/// When there is none, with all of them as ways on.
pub(super) fn address(visit: &Visit, text: &str) -> Result<String, Failure> {
    let said = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let links = visit.links();
    // A name of a zone keeps its case.
    if let Some(zone) = text.trim().strip_prefix("zone ").map(str::trim).filter(|zone| !zone.eq_ignore_ascii_case("utc")) {
        let back = visit.params.get("back").unwrap_or_default();
        return Ok(links.plain("/preferences").with("zone", zone).with("back", back).href());
    }
    // So are texts to search for.
    for (word, list) in [("logs ", links.logs("")), ("traces ", links.traces(""))] {
        if let Some(query) = text.trim_start().get(word.len()..).filter(|_| said.starts_with(word)) {
            return Ok(list.with("q", query.trim()).href());
        }
    }
    let beginning: Vec<&(&str, &str, bool)> = COMMANDS.iter().filter(|(word, ..)| !said.is_empty() && word.starts_with(&said)).collect();
    let exact = beginning.iter().copied().find(|(word, ..)| *word == said);
    let only = if let [one] = beginning.as_slice() { Some(*one) } else { None };
    if let Some((_, path, is_windowed)) = exact.or(only) {
        return Ok(href(visit, path, *is_windowed));
    }
    let words: Vec<&str> = words().collect();
    let meant = nearest(&said, &words).into_iter().next().map(|word| format!(", did you mean `>{word}`?")).unwrap_or_default();
    let message = match (said.is_empty(), beginning.len()) {
        (true, _) => "`>` takes one of these words".to_owned(),
        (false, 0) => format!("there is no command `{}`{meant}", shown(&said)),
        (false, _) => format!("more than one command begins with `{}`", shown(&said)),
    };
    let ways = COMMANDS.iter().map(|(word, path, is_windowed)| (*word, href(visit, path, *is_windowed))).collect();
    Err(Failure { ways, ..Failure::bad_request("unknown_command", message) })
}

/// What only changes how pages are shown leads back to where its reader is.
fn href(visit: &Visit, path: &str, is_windowed: bool) -> String {
    let links = visit.links();
    match (path.split_once('?'), is_windowed) {
        (Some(("/preferences", _)), _) => {
            let (path, pair) = path.split_once('?').unwrap_or((path, ""));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            links.plain(path).with(name, value).with("back", visit.params.get("back").unwrap_or_default()).href()
        }
        (_, true) => links.windowed(path).href(),
        (_, false) => links.plain(path).href(),
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use crate::harness::App;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_command_leads_to_its_page_and_a_preference_back() {
        let app = App::filled().await;
        for (asked, to) in [
            ("%3Emap", "/map"),
            ("%3E%20LOGS", "/logs"),
            ("%3Eerr", "/traces?q=status%3Aerror"),
            ("%3Etheme%20dark&back=%2Flogs%3Fq%3Da", "/preferences?theme=dark&back=%2Flogs%3Fq%3Da"),
            ("%3Elogs%20Card%20declined", "/logs?q=Card%20declined"),
            ("%3E%20Traces%20status%3Aerror", "/traces?q=status%3Aerror"),
            ("%3Ezone%20Europe%2FBerlin&back=%2F", "/preferences?zone=Europe%2FBerlin&back=%2F"),
        ] {
            let answer = app.get(&format!("/open?id={asked}")).await;
            assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, to), "{asked}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_no_command_is_answered_with_those_there_are() {
        let app = App::filled().await;
        for (asked, said) in
            [("%3Emapp", "did you mean “&#62;map”?"), ("%3Es", "more than one command"), ("%3E", "takes one of these words")]
        {
            let answer = app.get(&format!("/open?id={asked}")).await;
            let page = answer.text().replace("More than", "more than");
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(page.contains(said) || page.contains(&said.replace("&#62;", "&gt;")), "{asked}: {page}");
            assert!(page.contains("href=\"/help/shortcuts\"") && page.matches(">Home</a>").count() == 0, "{page}");
        }
    }
}
