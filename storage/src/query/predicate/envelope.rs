//! Conditions on resources and scopes, of which many rows share one.

use std::collections::HashMap;

use arrow::array::BinaryViewArray;

use super::super::wire;
use super::anywhere::holds_pair;
use super::finder::Finder;
use super::value::ValueTest;
use crate::schema::column;
use crate::spread::Spread;

/// What is asked of a resource or a scope.
#[derive(Clone, Debug)]
pub(super) enum Envelope {
    /// An attribute of the resource under any of these names.
    ResourceAttribute(Vec<String>, ValueTest),
    /// An attribute of the scope under any of these names.
    ScopeAttribute(Vec<String>, ValueTest),
    ScopeName(ValueTest),
    ScopeVersion(ValueTest),
    /// A key or a value of the resource has the text.
    ResourceText(Finder),
    /// The name, the version, or a key or a value of the scope has the text.
    ScopeText(Finder),
    /// The resource has these very bytes.
    SameResource(Vec<u8>),
}

/// Tests each different envelope of a batch once.
pub(super) struct EnvelopeTest<'a> {
    envelopes: &'a BinaryViewArray,
    asked: &'a Envelope,
    /// By view: equal views are equal bytes.
    known: HashMap<u128, bool, Spread>,
    last: Option<(u128, bool)>,
}

impl Envelope {
    pub(super) fn column(&self) -> &'static str {
        match self {
            Self::ResourceAttribute(..) | Self::ResourceText(_) | Self::SameResource(_) => column::RESOURCE,
            Self::ScopeAttribute(..) | Self::ScopeText(_) | Self::ScopeName(_) | Self::ScopeVersion(_) => column::SCOPE,
        }
    }

    pub(super) fn holds(&self, envelope: &[u8]) -> bool {
        let under = |keys: &[String], key: &str| keys.iter().any(|wanted| wanted == key);
        let text = |test: &ValueTest, text: &str| !text.is_empty() && test.text(text);
        match self {
            Self::ResourceAttribute(keys, test) => {
                wire::resource_attributes(envelope).any(|(key, value)| under(keys, key) && test.encoded(value, 0))
            }
            Self::ScopeAttribute(keys, test) => {
                wire::scope_attributes(envelope).any(|(key, value)| under(keys, key) && test.encoded(value, 0))
            }
            Self::ResourceText(finder) => holds_pair(finder, wire::resource_attributes(envelope)),
            Self::ScopeText(finder) => {
                let (name, version) = wire::scope_name(envelope);
                finder.matches(name) || finder.matches(version) || holds_pair(finder, wire::scope_attributes(envelope))
            }
            Self::ScopeName(test) => text(test, wire::scope_name(envelope).0),
            Self::ScopeVersion(test) => text(test, wire::scope_name(envelope).1),
            Self::SameResource(bytes) => envelope == bytes.as_slice(),
        }
    }
}

impl<'a> EnvelopeTest<'a> {
    pub(super) fn new(envelopes: &'a BinaryViewArray, asked: &'a Envelope) -> Self {
        Self { envelopes, asked, known: HashMap::default(), last: None }
    }

    pub(super) fn passes(&mut self, row: usize) -> bool {
        let Some(view) = self.envelopes.views().get(row) else { return false };
        // Neighbours mostly share one.
        if let Some((last, passes)) = self.last
            && last == *view
        {
            return passes;
        }
        let passes = *self.known.entry(*view).or_insert_with(|| self.asked.holds(self.envelopes.value(row)));
        self.last = Some((*view, passes));
        passes
    }
}
