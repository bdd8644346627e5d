//! What is taken in although its sender should mend it.
//!
//! Owns the kinds, the words that count them and the sentences for senders. How often a sender is told is not decided here.

/// A kind of thing that is stored as well as it can be, and is not as OTLP wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// A field 1000, where OTLP before 0.15 had its records.
    LegacyField,
    /// A text that is not UTF-8.
    Text,
    /// A value nested so deep that it cannot be read to its end.
    Depth,
    /// A parent span id of wrong length.
    ParentId,
    /// A trace or span id of wrong length in a log record.
    RecordId,
    /// A trace or span id in a link that is none.
    LinkId,
    /// A field that only profiles may use.
    ProfilesField,
    /// A value with two members of which only one can hold.
    Members,
    /// A span with trace id, span id, kind and start of another in the same request, and other content.
    SameSpan,
    /// A span that ends before it starts.
    EndBeforeStart,
    /// A time in the years after 1970.
    Early,
    /// A time well ahead of the server's clock.
    Late,
}

impl Flaw {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::LegacyField,
        Self::Text,
        Self::Depth,
        Self::ParentId,
        Self::RecordId,
        Self::LinkId,
        Self::ProfilesField,
        Self::Members,
        Self::SameSpan,
        Self::EndBeforeStart,
        Self::Early,
        Self::Late,
    ];

    /// The word under which it is counted. Ids of log records and of links share one: no request has both.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LegacyField => "legacy_field",
            Self::Text => "utf8",
            Self::Depth => "depth",
            Self::ParentId => "parent_id",
            Self::RecordId | Self::LinkId => "id",
            Self::ProfilesField => "profiles_field",
            Self::Members => "two_values",
            Self::SameSpan => "same_span",
            Self::EndBeforeStart => "end_before_start",
            Self::Early => "before_2000",
            Self::Late => "future",
        }
    }

    /// Whether something that was sent cannot be read back.
    #[must_use]
    pub fn loses(self) -> bool {
        !matches!(self, Self::LinkId | Self::EndBeforeStart | Self::Early | Self::Late)
    }

    /// Says it to the sender, for so many of them.
    #[must_use]
    pub fn sentence(self, count: u64) -> String {
        let what = match self {
            Self::LegacyField => {
                "field(s) 1000 (instrumentation_library_spans or _logs of OTLP before 0.15) were ignored with their records; update the sender"
            }
            Self::Text => "text(s) were not UTF-8; their wrong bytes read as U+FFFD",
            Self::Depth => "value(s) are nested deeper than 128 levels and read as \"…\" there",
            Self::ParentId => "parent span id(s) do not have 8 bytes; their spans are stored as roots",
            Self::RecordId => "trace or span id(s) of log records do not have 16 or 8 bytes; the records are kept without them",
            Self::LinkId => {
                "trace or span id(s) of links are missing, all zeros or not of 16 and 8 bytes; the links are kept with the ids they have"
            }
            Self::ProfilesField => "field(s) key_strindex or string_value_strindex were ignored; they belong to profiles",
            Self::Members => "value(s) were given twice with different types; the last one holds",
            Self::SameSpan => {
                "span(s) have the ids, kind and start of another span of the request, and other content; the last of them counts, give each its own id"
            }
            Self::EndBeforeStart => "span(s) end before they start; they are stored as sent and shown without a duration",
            Self::Early => {
                "span(s), event(s) or log record(s) have a time before the year 2000 and are stored as sent; times are nanoseconds since 1970"
            }
            Self::Late => {
                "span(s), event(s) or log record(s) have a time more than a day ahead of the server's clock and are stored as sent; check the sender's clock"
            }
        };
        format!("{count} {what}")
    }
}
