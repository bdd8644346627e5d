use proptest::prelude::*;

use super::tokenizer::case;
use super::*;
use crate::segment::fixture::{Dice, body};

mod index;

fn tokens(text: &str) -> Vec<String> {
    terms(text)
}

#[test]
fn words_are_kept_whole_and_taken_apart() {
    assert_eq!(tokens("Order created"), ["order", "created"]);
    assert_eq!(tokens("userId=42"), ["userid", "user", "id", "42"]);
    assert_eq!(tokens("HTTPServer"), ["httpserver", "http", "server"]);
    assert_eq!(tokens("payment_failedHard"), ["payment_failedhard", "payment", "failedhard", "failed", "hard"]);
    assert_eq!(tokens("__init__ _ !"), ["__init__", "init"]);
    assert_eq!(tokens("Grüße, ÄPFEL"), ["grüße", "äpfel"]);
}

#[test]
fn what_colours_a_word_on_a_terminal_is_no_part_of_it() {
    assert_eq!(tokens("\u{1b}[31merror\u{1b}[39m: db \u{1b}[1;33mdown\u{1b}[0m"), ["error", "db", "down"]);
    assert_eq!(tokens("\u{1b}[32mIn\u{1b}[1mfo über"), ["info", "über"]);
}

#[test]
fn long_words_are_known_by_their_first_64_bytes_but_told_apart_by_all() {
    let long = "a".repeat(70);
    assert_eq!(tokens(&long), ["a".repeat(64)]);
    assert!(Needle::word(&long).matches(&long));
    assert!(!Needle::word(&long).matches(&format!("{long}b")));
    let umlauts = "ü".repeat(40);
    assert_eq!(tokens(&umlauts), ["ü".repeat(32)]);
}

#[test]
fn a_bare_word_matches_whole_tokens_only() {
    let needle = Needle::word("Order");
    assert!(needle.matches("the ORDER is in"));
    assert!(needle.matches("orderId"));
    assert!(needle.matches("last_order"));
    assert!(!needle.matches("reordered"));
    assert!(Needle::word("checkout-service").matches("from Checkout-Service: ok"));
    assert!(!Needle::word("checkout-service").matches("checkout-services"));
    assert!(Needle::word("a-a").matches("xa-a-a"));
    assert!(Needle::word("!!").matches("stop!!!"));
}

#[test]
fn a_part_of_a_text_without_spaces_is_found_and_known_by_its_pairs() {
    assert_eq!(tokens("注文が超時"), ["注文", "文が", "が超", "超時", "注文が超時"]);
    assert_eq!(tokens("오류가 났다"), ["오류", "류가", "오류가", "났다", "났다"]);
    assert_eq!(tokens("税 a超b"), ["税", "a超b"]);
    let body = "注文order42の支払い処理が超時しました。再試行";
    for (wanted, hints) in [
        ("超時", vec!["超時"]),
        ("払い処", vec!["い処", "払い"]),
        ("税", vec![]),
        ("order42の支", vec!["の支"]),
        ("ました。再試行", vec!["した", "まし", "試行", "再試"]),
    ] {
        let mut hints: Vec<String> = hints.into_iter().map(str::to_owned).collect();
        hints.sort();
        assert_eq!(Needle::word(wanted).hint_terms(), hints, "{wanted}");
        assert_eq!(Needle::phrase(wanted).hint_terms(), hints, "{wanted}");
        assert_eq!(Needle::word(wanted).matches(body), wanted != "税", "{wanted}");
    }
    assert!(!Needle::word("rder42の").matches(body), "a word of other letters is not cut");
    assert!(Needle::word("超error").matches("last_超error_x"), "it is a part between signs");
    assert!(!Needle::word("order42").matches(body), "as before");
    assert!(Needle::word("カード-超時").matches("新カード-超時間"));
    assert_eq!(Needle::word("order-超時 x").hint_terms(), ["超時"], "words at the ends may go on in another script");
}

#[test]
fn a_phrase_matches_anywhere_and_hints_at_its_inner_words_only() {
    let needle = Needle::phrase("ed for User 4");
    assert!(needle.matches("created FOR user 42"));
    assert_eq!(needle.hint_terms(), ["for", "user"]);
    assert_eq!(Needle::phrase("created").hint_terms(), Vec::<String>::new());
    assert_eq!(Needle::phrase(" created ").hint_terms(), ["created"]);
    assert!(Needle::phrase("").matches("anything"));
}

#[test]
fn the_last_word_of_a_phrase_is_the_beginning_of_one() {
    let prefix = |phrase: &str| Needle::phrase(phrase).hint_prefix();
    assert_eq!(prefix("ed for Us").as_deref(), Some("us"));
    assert_eq!(prefix("id=4").as_deref(), Some("4"));
    assert_eq!(prefix("for user "), None);
    assert_eq!(prefix("created"), None);
    assert_eq!(Needle::word("for-user").hint_prefix(), None);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-cA-C_ .0-9]{0,24}",
        "[aAbİıſK\u{212a}ßΣσς_ -]{0,12}",
        "[aB_ 超時税カーﾊﾞ가각-]{0,12}",
        "\\PC{0,20}",
        any::<u64>().prop_map(|seed| body(&mut Dice(seed)).unwrap_or_default())
    ]
}

/// A part of a text, sometimes with other case.
fn part(text: &str, from: usize, len: usize, flip: bool) -> String {
    let part: String = text.chars().skip(from % (text.chars().count() + 1)).take(len).collect();
    if flip { part.to_uppercase() } else { part }
}

proptest! {
    #[test]
    fn the_hint_never_excludes_a_match(text in text(), other in text(), from: usize, len in 0usize..16, flip: bool, phrase: bool, same: bool) {
        let wanted = part(if same { &text } else { &other }, from, len, flip);
        let needle = if phrase { Needle::phrase(&wanted) } else { Needle::word(&wanted) };
        if needle.matches(&text) {
            let known = terms(&text);
            for hint in needle.hint_terms() {
                prop_assert!(known.contains(&hint), "{wanted:?} in {text:?}: {hint:?} not in {known:?}");
            }
            if let Some(begun) = needle.hint_prefix() {
                prop_assert!(known.iter().any(|term| term.starts_with(&begun)), "{wanted:?} in {text:?}: {begun:?} begins none of {known:?}");
            }
        }
    }

    #[test]
    fn a_part_of_a_text_is_found_as_a_phrase(text in text(), from: usize, len in 0usize..16) {
        let wanted = part(&text, from, len, false);
        prop_assert!(Needle::phrase(&wanted).matches(&text), "{wanted:?} in {text:?}");
    }

    #[test]
    fn every_token_is_found_as_a_word(text in text()) {
        for token in terms(&text).into_iter().filter(|token| token.len() < 50) {
            prop_assert!(Needle::word(&token).matches(&text), "{token:?} in {text:?}");
        }
    }
}

/// The same without what is known of ASCII.
fn slow_terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut tokenizer = Tokenizer::default();
    let mut see = |token: &str| {
        terms.push(truncated(token).to_owned());
        true
    };
    for c in text.chars() {
        assert!(c.to_lowercase().all(|lower| tokenizer.push(lower, case(c), &mut see)));
    }
    assert!(tokenizer.flush(&mut see));
    terms
}

proptest! {
    #[test]
    fn ascii_has_the_same_tokens_as_any_text(text in prop_oneof!["[a-cA-C_ .0-9]{0,24}", "[ -~\n\t]{0,80}"]) {
        prop_assert_eq!(terms(&text), slow_terms(&text));
    }
}
