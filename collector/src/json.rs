//! OTLP/JSON to OTLP protobuf, in one pass, without recursion and without a tree.
//!
//! Storage only ever sees protobuf. What JSON can get wrong is settled here: broken JSON refuses the request, a value that its
//! field cannot hold costs that value or that item, and names nobody knows are read over, at any depth. Depth is bounded by
//! the length of the text alone, since the stack of open brackets is a vector.
//!
//! Ids are hex, unlike in other protobuf JSON. One that is not is passed on as an id that is not valid, so that the same
//! rules hold for it as in protobuf; nobody gets to see that one. Ids of links are seen as sent, so there it is left out.

use bytes::Bytes;
use storage::{Flaw, Signal};

use crate::error::bounded;
use crate::warnings::{Warning, Warnings};

mod lexer;
mod number;
mod scalar;
mod schema;
mod writer;

pub(crate) use self::lexer::Syntax;
use self::lexer::{Lexer, Text, Token};
use self::scalar::Fit;
use self::schema::{Field, Kind, Message};
use self::writer::{Mark, Writer};

/// A request in protobuf, and what is to be said about it.
#[derive(Debug)]
pub(crate) struct Transcoded {
    pub(crate) payload: Bytes,
    pub(crate) notes: Notes,
}

/// A request that was read from OTLP/JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FromJson {
    /// The same request in protobuf.
    pub payload: Bytes,
    /// Spans or log records left out because a value in them is out of range.
    pub rejected: u64,
    /// Why the first of them was.
    pub rejection: Option<String>,
}

/// What was found on the way.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Items left out because a value in them is out of range.
    pub(crate) rejected: u64,
    /// Why the first of them was.
    pub(crate) first_rejection: Option<String>,
    pub(crate) warnings: Warnings,
}

/// Which request a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Traces,
    Logs,
    /// Only so much of it as shows how many data points there are.
    Metrics,
}

impl From<Signal> for Request {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self::Traces,
            Signal::Logs => Self::Logs,
        }
    }
}

/// Brings `TracesData`, `LogsData` or an export request from OTLP/JSON to protobuf, by the rules of the receivers.
///
/// # Errors
/// Where and why it is not JSON, or not a request of this signal.
pub fn from_json(signal: Signal, text: &[u8]) -> Result<FromJson, String> {
    let Transcoded { payload, notes } = transcode(signal.into(), text).map_err(|error| error.to_string())?;
    Ok(FromJson { payload, rejected: notes.rejected, rejection: notes.first_rejection })
}

/// Reads an export request.
pub(crate) fn transcode(request: Request, text: &[u8]) -> Result<Transcoded, Syntax> {
    let root = match request {
        Request::Traces => &schema::TRACES,
        Request::Logs => &schema::LOGS,
        Request::Metrics => &schema::METRICS,
    };
    Transcoder::new(text).run(root)
}

struct Transcoder<'a> {
    lexer: Lexer<'a>,
    writer: Writer,
    stack: Vec<Open>,
    item: Option<Item>,
    items: u64,
    notes: Notes,
}

/// An open bracket.
struct Open {
    shape: Shape,
    /// Nothing was read in it yet.
    fresh: bool,
    /// Values within values, counted at `AnyValue`.
    depth: u32,
    /// What the lengths of closed messages in it will take.
    extra: usize,
    message: Option<writer::Opened>,
}

#[derive(Clone, Copy)]
enum Shape {
    Object(&'static Message),
    Array(&'static Field),
}

/// The span or log record being read.
struct Item {
    mark: Mark,
    index: u64,
    name: &'static str,
    /// How many links of it were begun.
    links: u64,
    /// Why it will be left out.
    fault: Option<String>,
}

// === impl Transcoder ===

impl<'a> Transcoder<'a> {
    fn new(text: &'a [u8]) -> Self {
        let writer = Writer::with_capacity(text.len() / 2);
        Self { lexer: Lexer::new(text), writer, stack: Vec::new(), item: None, items: 0, notes: Notes::default() }
    }

    fn run(mut self, root: &'static Message) -> Result<Transcoded, Syntax> {
        self.lexer.open_document()?;
        self.stack.push(Open { shape: Shape::Object(root), fresh: true, depth: 0, extra: 0, message: None });
        while let Some(top) = self.stack.last_mut() {
            let fresh = std::mem::replace(&mut top.fresh, false);
            match top.shape {
                Shape::Object(message) => match self.lexer.next_key(fresh)? {
                    Some(key) => self.member(message, &key)?,
                    None => self.close(),
                },
                Shape::Array(field) => {
                    if self.lexer.next_element(fresh)? {
                        self.element(field)?;
                    } else {
                        self.close();
                    }
                }
            }
        }
        self.lexer.end()?;
        Ok(Transcoded { payload: self.writer.finish().into(), notes: self.notes })
    }

    /// Reads one member of an object.
    fn member(&mut self, message: &'static Message, key: &Text<'a>) -> Result<(), Syntax> {
        let value = self.lexer.value()?;
        let name = key.bytes();
        let Some(field) = message.field(&name) else {
            if let Some(meant) = message.snake_case_of(&name) {
                self.notes
                    .warnings
                    .note(Warning::SnakeCase, || format!("{} is ignored, OTLP/JSON names it {meant}", String::from_utf8_lossy(&name)));
            }
            if let ([_root], Some(expected)) = (self.stack.as_slice(), schema::belongs_elsewhere(&name)) {
                return Err(self.lexer.error(expected));
            }
            return self.lexer.skip(&value);
        };
        match value {
            Token::Null => Ok(()),
            Token::ArrayStart if field.repeated => {
                let depth = self.depth();
                self.stack.push(Open { shape: Shape::Array(field), fresh: true, depth, extra: 0, message: None });
                Ok(())
            }
            value if field.repeated => self.misshapen(field, &value),
            value => self.one(field, value),
        }
    }

    /// Reads one element of an array. A null in a list of values keeps its place; elsewhere it is passed over.
    fn element(&mut self, field: &'static Field) -> Result<(), Syntax> {
        let value = self.lexer.value()?;
        if !matches!(value, Token::Null) {
            return self.one(field, value);
        }
        self.notes.warnings.note(Warning::NullElement, || format!("null in {} is ignored", field.name));
        if matches!(field.kind, Kind::Message(message) if message.is_value) {
            self.empty(field);
        }
        Ok(())
    }

    fn one(&mut self, field: &'static Field, value: Token<'a>) -> Result<(), Syntax> {
        match (field.kind, &value) {
            (Kind::Message(message), Token::ObjectStart) => self.open(field, message),
            (Kind::Message(_), _) | (_, Token::ObjectStart | Token::ArrayStart) => self.misshapen(field, &value),
            (Kind::Id(digits), _) => {
                self.id(field, digits, &value);
                Ok(())
            }
            (Kind::LinkId(digits), _) => {
                self.link_id(field, digits, &value);
                Ok(())
            }
            _ => {
                match scalar::write(field, &value, &mut self.writer) {
                    Fit::Written => {}
                    Fit::Repaired => self.notes.warnings.add(Flaw::Text, 1),
                    Fit::ByName => self.warn(Warning::EnumName, field, "is given by name, OTLP/JSON sends numbers"),
                    Fit::Dropped(why) => self.warn(Warning::DroppedValue, field, why),
                    Fit::Rejected(why) => self.fault(field, why),
                }
                Ok(())
            }
        }
    }

    fn open(&mut self, field: &'static Field, message: &'static Message) -> Result<(), Syntax> {
        let depth = self.depth() + u32::from(message.is_value);
        if depth > MAX_VALUE_DEPTH {
            self.warn(Warning::Stored(Flaw::Depth), field, "is nested too deep, its inner values are left out");
            self.empty(field);
            return self.lexer.skip(&Token::ObjectStart);
        }
        if let Some(name) = message.item {
            self.item = Some(Item { mark: self.writer.mark(), index: self.items, name, links: 0, fault: None });
            self.items += 1;
        } else if let Some(item) = &mut self.item
            && std::ptr::eq(message, &raw const schema::LINK)
        {
            item.links += 1;
        }
        let opened = self.writer.open(field.number);
        self.stack.push(Open { shape: Shape::Object(message), fresh: true, depth, extra: 0, message: Some(opened) });
        Ok(())
    }

    fn close(&mut self) {
        let Some(closed) = self.stack.pop() else { return };
        let is_item = matches!(closed.shape, Shape::Object(message) if message.item.is_some());
        if is_item
            && let Some(item) = self.item.take()
            && let Some(fault) = item.fault
        {
            self.writer.undo(item.mark);
            self.notes.rejected += 1;
            self.notes.first_rejection.get_or_insert_with(|| bounded(format!("{} {}: {fault}", item.name, item.index), 256));
            return;
        }
        let extra = match closed.message {
            Some(opened) => self.writer.close(opened, closed.extra),
            None => closed.extra,
        };
        if let Some(parent) = self.stack.last_mut() {
            parent.extra += extra;
        }
    }

    /// A message without fields.
    fn empty(&mut self, field: &'static Field) {
        let opened = self.writer.open(field.number);
        let extra = self.writer.close(opened, 0);
        if let Some(parent) = self.stack.last_mut() {
            parent.extra += extra;
        }
    }

    /// A bracket where none belongs, or none where one does: within an item that item is lost, outside the request is.
    fn misshapen(&mut self, field: &'static Field, value: &Token<'a>) -> Result<(), Syntax> {
        if self.item.is_none() && (field.repeated || matches!(field.kind, Kind::Message(_))) {
            return Err(self.lexer.error(if field.repeated { "an array" } else { "an object" }));
        }
        self.lexer.skip(value)?;
        self.fault(field, "has a value of the wrong kind");
        Ok(())
    }

    fn id(&mut self, field: &'static Field, digits: usize, value: &Token<'a>) {
        let Token::String(text) = value else {
            self.fault(field, "is not a string of hex digits");
            return;
        };
        let text = text.bytes();
        if !scalar::write_id(field, digits, &text, &mut self.writer) {
            let hint = if scalar::looks_like_base64(&text) { "; is it base64?" } else { "" };
            let place = self.place();
            let message = || format!("{}{place} is not {digits} hex digits{hint}", field.name);
            self.notes.warnings.note(Warning::Id, message);
        }
    }

    /// A wrong id of a link costs the id alone; one that has bytes is kept, and storage sees that it is wrong.
    fn link_id(&mut self, field: &'static Field, digits: usize, value: &Token<'a>) {
        if let Token::String(text) = value
            && scalar::write_link_id(field, &text.bytes(), &mut self.writer)
        {
            return;
        }
        let link = self.item.as_ref().map_or(0, |item| item.links.saturating_sub(1));
        let place = self.place();
        let message = || format!("{} of link {link}{place} is not {digits} hex digits; the link is kept without it", field.name);
        self.notes.warnings.note(Warning::Id, message);
    }

    /// Loses the item, or outside of any, the value.
    fn fault(&mut self, field: &'static Field, why: &'static str) {
        match &mut self.item {
            Some(item) => drop(item.fault.get_or_insert_with(|| format!("{} {why}", field.name))),
            None => self.warn(Warning::DroppedValue, field, why),
        }
    }

    fn warn(&mut self, kind: Warning, field: &'static Field, why: &'static str) {
        let place = self.place();
        self.notes.warnings.note(kind, || format!("{}{place} {why}", field.name));
    }

    fn place(&self) -> String {
        self.item.as_ref().map(|item| format!(" of {} {}", item.name, item.index)).unwrap_or_default()
    }

    fn depth(&self) -> u32 {
        self.stack.last().map_or(0, |top| top.depth)
    }
}

/// OpenTelemetry nests values 64 deep at most. What storage keeps is its own matter; this only ends the absurd.
const MAX_VALUE_DEPTH: u32 = 256;

#[cfg(test)]
mod tests;
