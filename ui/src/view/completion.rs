//! Completion of a query: what may stand where the reader is writing.

use askama::Template;
use storage::{FieldCount, Signal};

use super::format;
use super::link::quoted;

mod sql;

pub(crate) use self::sql::sql;

/// `/complete`: the options, and nothing around them.
#[derive(Debug, Default, Template)]
#[template(path = "fragment_completion.html")]
pub(crate) struct Completion {
    pub(crate) options: Vec<Choice>,
    /// That there are others; empty when there are not.
    pub(crate) more: String,
}

// === impl Completion ===

impl Completion {
    /// The first of what fits; says how many others there are.
    fn first(fitting: impl Iterator<Item = Choice>) -> Self {
        let mut options: Vec<Choice> = fitting.collect();
        let more = options.len().saturating_sub(MAX_CHOICES) as u64;
        options.truncate(MAX_CHOICES);
        Self { options, more: if more == 0 { String::new() } else { format!("{} more: type on", format::count(more)) } }
    }

    /// With others before them.
    pub(crate) fn behind(mut self, mut first: Vec<Choice>) -> Self {
        first.append(&mut self.options);
        Self { options: first, more: self.more }
    }
}

/// One option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The text up to the caret once it is taken.
    pub(crate) before: String,
    pub(crate) text: String,
    /// What it means, or how often it occurs.
    pub(crate) about: String,
}

/// What is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Writing<'a> {
    /// The beginning of a field or a word; `head` is everything before it.
    Field { head: &'a str, prefix: &'a str },
    /// The beginning of a value; `head` ends with the operator.
    Value { head: &'a str, rest: &'a str, field: &'a str, prefix: &'a str },
}

impl<'a> Writing<'a> {
    /// Reads the text before the caret; `None` inside of quotes around a word that is no value.
    pub(crate) fn of(before: &'a str) -> Option<Self> {
        let start = last_word(before)?;
        let (rest, word) = before.split_at_checked(start)?;
        let bare = word.trim_start_matches(['-', '(']);
        let signs = word.len() - bare.len();
        let Some(at) = bare.find([':', '=', '<', '>', '~', '!']) else {
            let head = before.get(..start + signs)?;
            return (!bare.contains('"')).then_some(Self::Field { head, prefix: bare });
        };
        let (field, value) = bare.split_at_checked(at)?;
        let value = value.trim_start_matches([':', '=', '<', '>', '~', '!']);
        // Of a list only the last value is being written.
        let value = value.rsplit(',').next().unwrap_or(value);
        let head = before.get(..before.len() - value.len())?;
        Some(Self::Value { head, rest: rest.trim_end(), field, prefix: value.trim_start_matches('"') })
    }
}

/// What fields are asked of where they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// One span, or the whole trace.
    Trace,
    /// One span: within parentheses, say.
    Span,
    Record,
}

/// Fields that begin as written, and attributes whose key does or has it inside. `keys` are those of the data, with their counts.
pub(crate) fn fields(of: Of, head: &str, prefix: &str, keys: &[FieldCount]) -> Completion {
    let is_logs = of == Of::Record;
    let known: &[(&str, &str)] = if is_logs { &LOG_FIELDS } else { &TRACE_FIELDS };
    let whole: &[(&str, &str)] = if of == Of::Trace { &WHOLE_FIELDS } else { &[] };
    let lower = prefix.to_lowercase();
    let noun = if is_logs { ("record", "records") } else { ("span", "spans") };
    let count_of = |name: &str| keys.iter().find(|key| key.name == name).map(|key| format::counted(key.rows, noun.0, noun.1));
    let choice = |name: &str, about: &str| {
        let operator = if name.ends_with('.') {
            ""
        } else if name == "log" {
            ":("
        } else if matches!(name, "duration" | "severity") || whole.iter().any(|(known, _)| *known == name) {
            ">="
        } else {
            ":"
        };
        let about = [Some(about.to_owned()).filter(|about| !about.is_empty()), count_of(name)].into_iter().flatten().collect::<Vec<_>>();
        Choice { before: format!("{head}{name}{operator}"), text: format::line(name, 80), about: about.join(" · ") }
    };
    let fits = known.iter().chain(whole).filter(|(name, _)| name.starts_with(&lower) && (name.len() > lower.len() || *name == "log"));
    let built_in = fits.map(|(name, about)| choice(name, about));
    let is_listed = |name: &str| known.iter().any(|(known, _)| *known == name);
    let rank = |key: &FieldCount| {
        let name = key.name.to_lowercase();
        let bare = name.split_once('.').map_or("", |(_, bare)| bare).trim_start_matches('"');
        if lower.is_empty() || name.len() <= lower.len() || !name.contains('.') || is_listed(&key.name) {
            None
        } else if name.starts_with(&lower) {
            Some(0)
        } else if bare.starts_with(&lower) {
            Some(1)
        } else {
            (lower.len() > 2 && bare.contains(&lower)).then_some(2)
        }
    };
    let mut fitting: Vec<(u8, &FieldCount)> = keys.iter().filter_map(|key| Some((rank(key)?, key))).collect();
    // Those that are as near stay in the order of their counts.
    fitting.sort_by_key(|(rank, _)| *rank);
    Completion::first(built_in.chain(fitting.into_iter().map(|(_, key)| choice(&key.name, ""))))
}

/// Commands that begin as written behind `>`.
pub(crate) fn commands(prefix: &str, words: impl Iterator<Item = &'static str>) -> Completion {
    let lower = prefix.trim_start().to_lowercase();
    let fitting = words.filter(|word| word.starts_with(&lower) && word.len() > lower.len());
    Completion::first(fitting.map(|word| Choice { before: format!(">{word}"), text: format!(">{word}"), about: "command".to_owned() }))
}

/// The services, or saved views, whose name begins as the whole text: alone it leads to them.
pub(crate) fn named<'a>(text: &str, names: impl Iterator<Item = &'a str>, about: &str) -> Vec<Choice> {
    let lower = text.to_lowercase();
    let fits = |name: &&str| !lower.is_empty() && name.len() > lower.len() && name.to_lowercase().starts_with(&lower);
    let choice = |name: &str| Choice { before: name.to_owned(), text: format::line(name, 80), about: about.to_owned() };
    names.filter(fits).take(MAX_SERVICES).map(choice).collect()
}

/// The same words among log records, as a command.
pub(crate) fn in_logs(text: &str) -> Option<Choice> {
    let before = format!(">logs {}", text.trim());
    (text.trim().len() > 1).then(|| Choice { text: format::line(&before, 80), before, about: "search log records".to_owned() })
}

/// What is written about at the end of the text: log records within `log:(`.
pub(crate) fn signal_of(before: &str, signal: Signal) -> Signal {
    if groups(before).contains(&true) { Signal::Logs } else { signal }
}

/// A query in which a number of a whole trace stands where the next word will.
pub(crate) fn with_whole(head: &str) -> String {
    format!("{head}trace.spans>=1{}", ")".repeat(groups(head).len()))
}

/// The parentheses that are open at the end of the text, and whether they are those of `log:(`.
fn groups(before: &str) -> Vec<bool> {
    let (mut groups, mut quoted, mut escaped) = (Vec::new(), false, false);
    for (at, c) in before.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => groups.push(before.get(..at).is_some_and(|head| head.ends_with("log:"))),
            ')' if !quoted => {
                groups.pop();
            }
            _ => {}
        }
    }
    groups
}

/// Values that begin as written, or have it inside, with their counts where they are known.
pub(crate) fn values(head: &str, prefix: &str, known: &[(String, Option<u64>)]) -> Completion {
    let lower = prefix.to_lowercase();
    let rank = |value: &str| match value.to_lowercase() {
        value if value.starts_with(&lower) => 0,
        value if value.contains(&lower) => 1,
        _ => 2,
    };
    let mut fitting: Vec<(u8, &(String, Option<u64>))> =
        known.iter().map(|known| (rank(&known.0), known)).filter(|(rank, _)| *rank < 2).collect();
    fitting.sort_by_key(|(rank, _)| *rank);
    let choice = |(_, (value, count)): (u8, &(String, Option<u64>))| Choice {
        before: format!("{head}{} ", quoted(value)),
        text: format::line(value, 80),
        about: count.map(format::count).unwrap_or_default(),
    };
    Completion::first(fitting.into_iter().map(choice))
}

/// Words that a field knows; empty when its values are those of the data.
pub(crate) fn words(field: &str) -> &'static [&'static str] {
    match field {
        "status" => &["error", "ok", "unset"],
        "kind" => &["server", "client", "producer", "consumer", "internal"],
        "root" => &["true", "false"],
        "severity" | "level" => &["trace", "debug", "info", "warn", "error", "fatal"],
        "has" => &["event", "link", "exception", "parent", "peer", "trace", "log"],
        "trace.spans" => &["10", "100", "1000"],
        "trace.errors" | "trace.services" | "trace.logs" => &["1", "2", "10"],
        "duration" | "trace.duration" => &["10ms", "100ms", "500ms", "1s", "10s"],
        _ => &[],
    }
}

/// Where the last word begins; `None` when the caret stands inside of a quoted text that began as a word.
fn last_word(text: &str) -> Option<usize> {
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' {
            quoted = !quoted;
        } else if (c.is_whitespace() || c == '(') && !quoted {
            start = at + c.len_utf8();
        }
    }
    (!(quoted && text.get(start..)?.starts_with('"'))).then_some(start)
}

const TRACE_FIELDS: [(&str, &str); 17] = [
    ("service", "name of the service"),
    ("name", "name of the span"),
    ("status", "error, ok, unset"),
    ("duration", "such as 500ms or 2s"),
    ("kind", "server, client, …"),
    ("root", "true for the first span of a trace"),
    ("status.message", "what a failed span says"),
    ("exception.type", "of a failed span"),
    ("exception.message", "of a failed span"),
    ("peer", "what the span calls"),
    ("event", "name of an event"),
    ("has", "event, link, exception, …"),
    ("trace", "id"),
    ("span", "id"),
    ("parent", "id"),
    ("attr.", "any attribute of the span"),
    ("resource.", "any attribute of its resource"),
];

/// Of whole traces.
const WHOLE_FIELDS: [(&str, &str); 6] = [
    ("log", "a log record of the trace"),
    ("trace.duration", "from the first start to the last end"),
    ("trace.spans", "how many there are"),
    ("trace.errors", "how many spans failed"),
    ("trace.services", "how many there are"),
    ("trace.logs", "how many there are"),
];

const LOG_FIELDS: [(&str, &str); 9] = [
    ("service", "name of the service"),
    ("severity", "trace to fatal"),
    ("body", "text of the record"),
    ("event", "name of the event"),
    ("has", "trace"),
    ("trace", "id"),
    ("span", "id"),
    ("attr.", "any attribute of the record"),
    ("resource.", "any attribute of its resource"),
];

/// Options shown at once.
const MAX_CHOICES: usize = 12;

/// Services before what a query may say.
const MAX_SERVICES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_caret_is_a_field_or_a_value() {
        assert_eq!(Writing::of("status:error ser"), Some(Writing::Field { head: "status:error ", prefix: "ser" }));
        assert_eq!(Writing::of("-(ser"), Some(Writing::Field { head: "-(", prefix: "ser" }));
        assert_eq!(Writing::of(""), Some(Writing::Field { head: "", prefix: "" }));
        let value = |head, rest, field, prefix| Some(Writing::Value { head, rest, field, prefix });
        assert_eq!(Writing::of("a b service:ca"), value("a b service:", "a b", "service", "ca"));
        assert_eq!(Writing::of("service:cart,or"), value("service:cart,", "", "service", "or"));
        assert_eq!(Writing::of("name:\"POST /p"), value("name:", "", "name", "POST /p"));
        assert_eq!(Writing::of("duration>="), value("duration>=", "", "duration", ""));
        assert_eq!(Writing::of("\"free te"), None);
        assert_eq!(Writing::of("root:(attr.h"), Some(Writing::Field { head: "root:(", prefix: "attr.h" }));
        assert_eq!(Writing::of("a trace:(x kind:s"), value("a trace:(x kind:", "a trace:(x", "kind", "s"));
        assert_eq!(signal_of("a log:(b:\")\" c", Signal::Traces), Signal::Logs);
        assert_eq!(signal_of("log:(a) b (c", Signal::Traces), Signal::Traces);
    }

    #[test]
    fn options_replace_the_word_and_quote_values() {
        let texts = |found: Completion| found.options.into_iter().map(|choice| choice.before).collect::<Vec<_>>();
        assert_eq!(texts(fields(Of::Trace, "a ", "se", &[])), ["a service:"]);
        assert_eq!(texts(fields(Of::Record, "", "se", &[])), ["service:", "severity>="]);
        let known = [("POST /pay".to_owned(), Some(3)), ("pay".to_owned(), None), ("x".to_owned(), None)];
        assert_eq!(texts(values("name:", "pa", &known)), ["name:pay ", "name:\"POST /pay\" "]);
    }

    #[test]
    fn options_that_are_not_shown_are_counted() {
        let known: Vec<(String, Option<u64>)> = (0..15).map(|n| (format!("pod-{n}"), None)).collect();
        let offered = values("resource.k8s.pod.name:", "pod", &known);
        assert_eq!((offered.options.len(), offered.more.as_str()), (12, "3 more: type on"));
        let narrowed = values("resource.k8s.pod.name:", "pod-14", &known);
        assert_eq!((narrowed.options.len(), narrowed.more.as_str()), (1, ""));
    }
}
