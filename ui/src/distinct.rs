//! Numbers for what many records share: equal resources and scopes get equal numbers.

use std::collections::HashMap;
use std::sync::Arc;

/// Distinct things in the order in which they were first met.
#[derive(Debug)]
pub(crate) struct Distinct<'a, T> {
    known: Vec<&'a T>,
    /// Shared things are known by their address, so that most records cost no comparison.
    by_address: HashMap<usize, usize>,
    by_content: HashMap<String, usize>,
    content: fn(&T) -> String,
}

impl<'a, T> Distinct<'a, T> {
    /// `content` gives equal text for equal things only.
    pub(crate) fn new(content: fn(&T) -> String) -> Self {
        Self { known: Vec::new(), by_address: HashMap::new(), by_content: HashMap::new(), content }
    }

    /// The place of `shared` in [`Self::into_known`].
    pub(crate) fn number(&mut self, shared: &'a Arc<T>) -> usize {
        let address = Arc::as_ptr(shared).addr();
        if let Some(number) = self.by_address.get(&address) {
            return *number;
        }
        let number = *self.by_content.entry((self.content)(shared)).or_insert_with(|| {
            self.known.push(shared);
            self.known.len() - 1
        });
        self.by_address.insert(address, number);
        number
    }

    /// Each distinct thing once.
    pub(crate) fn into_known(self) -> Vec<&'a T> {
        self.known
    }
}
