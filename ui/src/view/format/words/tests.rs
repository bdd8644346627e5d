use super::*;

#[test]
fn names_that_cannot_be_typed_are_not_offered() {
    let names = ["cart", "a\u{1}b", "\u{202e}drac", "two\nlines", "Käse 🧀"];
    assert_eq!(offered(names.map(str::to_owned)), ["cart", "Käse 🧀"]);
}

#[test]
fn marks_that_reorder_text_and_control_characters_become_visible() {
    assert_eq!(text("a\u{202e}b\u{1b}[31m\u{0}"), "a\u{fffd}b␛[31m␀");
    assert_eq!(line("one\ntwo", 10), "one");
    assert_eq!(line("abcdef", 3), "abc…");
    assert_eq!(["  ", "one\n", "\none\r\ntwo"].map(name), ["(no name)", "one", "one…"]);
}

#[test]
fn names_break_after_separators_and_keep_every_character() {
    let name = "com.shop.payment/Card_Declined";
    assert_eq!(pieces(name).collect::<Vec<_>>(), ["com.", "shop.", "payment/", "Card_", "Declined"]);
    assert_eq!(pieces(name).collect::<String>(), name);
    assert_eq!(
        pieces("a.CardDeclinedException of userId, HTTPServer").collect::<Vec<_>>(),
        ["a.", "CardDeclined", "Exception of userId,", " HTTPServer"]
    );
    assert_eq!(pieces("").count(), 0);
    let long = "ä".repeat(100);
    assert_eq!(pieces(&long).map(|part| part.chars().count()).collect::<Vec<_>>(), [36, 36, 28]);
    assert_eq!(pieces(&long).collect::<String>(), long);
    let dots = "a.".repeat(2_000);
    assert_eq!(pieces(&dots).count(), 40 + (4_000_usize - 80).div_ceil(36));
    assert_eq!(pieces(&dots).collect::<String>(), dots);
    assert_eq!(pieces("many words that are short break where they end, as ever").count(), 2);
}

#[test]
fn of_long_names_the_end_is_kept_and_what_is_done() {
    assert_eq!(ending("com.example.payments.internal.ledger.LedgerRepository.findEntry0", 34), "…LedgerRepository.findEntry0");
    assert_eq!(ending("GET /api/v1/customers/{customer}/orders/{order}", 30), "GET …{customer}/orders/{order}");
    assert_eq!(ending("short", 5), "short");
    assert_eq!(ending(&"ä".repeat(50), 10), format!("…{}", "ä".repeat(9)));
    for max in 0..40 {
        let name = "POST com.example.Ledger/find entry: one of many";
        assert!(ending(name, max).chars().count() <= max.max(1), "{max}: {}", ending(name, max));
    }
}

#[test]
fn what_a_program_said_loses_the_colours_of_its_terminal_in_pages_and_keeps_them_for_copying() {
    let raw = "\u{1b}[1;31mERROR\u{1b}[0m declined\u{202e}\nat line 2";
    assert_eq!(said(raw), "ERROR declined\u{fffd}\nat line 2");
    assert_eq!(message(raw, 80), "ERROR declined\u{fffd}");
    let kept = original(raw, &said(raw));
    assert_eq!(kept, r#""\u001b[1;31mERROR\u001b[0m declined\u202e\nat line 2""#);
    assert_eq!(serde_json::from_str::<String>(&kept).unwrap(), raw);
    assert_eq!(original("plain", &said("plain")), "");
}
