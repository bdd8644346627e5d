//! The trace as the API gives it.

/// A text to read, and where the whole can be had.
#[derive(Clone, Debug, Default)]
pub(crate) struct Json {
    /// Indented; empty when it is too large to show.
    pub(crate) text: String,
    /// Why it is not all here; empty when it is.
    pub(crate) note: String,
    /// Files to download, in our own form and as OTLP.
    pub(crate) plain: String,
    pub(crate) otlp: String,
}

/// `text` is `None` when the trace is too large to be put together for reading.
pub(crate) fn json(scene: &super::Scene, text: Option<&str>) -> Json {
    let path = format!("/api/v1/traces/{}", scene.sheet.id);
    let shown: String = text.unwrap_or_default().chars().take(MAX_TEXT).collect();
    let note = match text {
        None => "This trace is too large to read here; download it instead.".to_owned(),
        Some(text) if text.len() > shown.len() => "Only the beginning is shown; download the whole.".to_owned(),
        Some(_) => String::new(),
    };
    Json {
        text: crate::view::format::text(&shown),
        note,
        plain: scene.links.plain(&path).href(),
        otlp: scene.links.plain(&format!("{path}.otlp.json")).href(),
    }
}

/// Larger traces are not put together for reading.
pub(crate) const MAX_SPANS: usize = 500;

/// Characters that are shown.
const MAX_TEXT: usize = 200_000;
