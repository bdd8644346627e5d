//! Words and signs that other languages join conditions with. In free text they are words to look for; beside conditions they were hardly
//! meant so, and what a text finds then, or deletes, is the opposite of what was asked for.

use super::super::super::question::ParseError;
use super::super::tree::{is_joint, is_keyword};
use super::Parser;

impl Parser<'_> {
    /// Refuses `or` and `and` beside a condition, `not` before one, and signs that stand for them. `at` is where the word begins.
    pub(super) fn no_joint(&self, word: &str, at: usize) -> Result<(), ParseError> {
        if self.is_kept || !is_joint(word) {
            return Ok(());
        }
        let before = self.lexer.slice(0..at).trim_end();
        let is_between = !before.is_empty() && !before.ends_with('(') && !matches!(self.after_space(), None | Some(')'));
        let is_beside = self.follows_condition || self.condition_follows();
        let meant = match word.to_ascii_lowercase().as_str() {
            "or" if is_between && is_beside => Some("OR"),
            "and" if is_between && is_beside => Some("AND"),
            "not" if self.condition_follows() => Some("NOT"),
            "||" => Some("OR"),
            "&&" => Some("AND"),
            "|" => None,
            _ => return Ok(()),
        };
        let message = match meant {
            Some(meant) if word.starts_with(char::is_alphabetic) => {
                format!(
                    "`{word}` in small letters is a word to look for; conditions are joined by AND, OR and NOT. For the word write \\{word}, here perhaps {meant}"
                )
            }
            Some(meant) => format!("what `{word}` means elsewhere is written {meant}; to look for the signs write \\{word}"),
            None => {
                format!("nothing is passed on by `{word}` here: conditions stand beside each other; to look for the sign write \\{word}")
            }
        };
        let suggestions = meant.filter(|meant| is_between || *meant == "NOT").map(str::to_owned).into_iter().collect();
        Err(ParseError { offset: at, length: word.len(), message, suggestions })
    }

    /// Refuses `!` before what is excluded.
    pub(super) fn no_sign_of_exclusion(&self, at: usize) -> Result<(), ParseError> {
        let mut signs = self.lexer.rest().chars();
        let is_sign = signs.next() == Some('!') && signs.next().is_some_and(|next| next == '(' || next.is_alphanumeric());
        if self.is_kept || !is_sign {
            return Ok(());
        }
        let message = "what is excluded has `-` or NOT before it, not `!`; a word that begins so is put in quotes";
        Err(ParseError { offset: at, length: 1, message: message.to_owned(), suggestions: vec!["-".to_owned()] })
    }

    fn after_space(&self) -> Option<char> {
        self.lexer.rest().trim_start().chars().next()
    }

    /// Whether a field with an operator comes next, or a group.
    fn condition_follows(&self) -> bool {
        let mut ahead = self.lexer.clone();
        loop {
            ahead.skip_space();
            if ahead.eat("-") {
                continue;
            }
            if ahead.peek() == Some('(') {
                return true;
            }
            let word = ahead.word();
            if word.is_empty() {
                return false;
            }
            if !is_keyword(word) && !is_joint(word) {
                return ahead.operator().is_some();
            }
        }
    }
}
