//! Addresses hold moments: what a reader typed by the clock on their wall is another window for others, and tomorrow for everyone.
//!
//! Owns when an address is answered with the same one that names moments. What moves with time, as `now-15m`, stays as it is.

use jiff::tz::TimeZone;
use storage::UnixNanos;

use crate::params::{Params, by_clock, encoded, parse_spoken};
use crate::view::link::Links;

/// The address with moments in place of `from=11:00` or `to=yesterday`; `None` where it has none of them, or is not understood.
pub(super) fn address(params: &Params, path: &str, links: &Links, (now, zone): (UnixNanos, &TimeZone)) -> Option<String> {
    let given = |name| params.get(name).filter(|text| !text.trim().is_empty());
    let ends = ["from", "to"].map(|name| given(name).map(|text| parse_spoken(text, now, zone)));
    match &ends {
        // What is refused is refused as it was typed.
        [Some(Err(_)), _] | [_, Some(Err(_))] => return None,
        [Some(Ok(from)), Some(Ok(to))] if from >= to => return None,
        _ => {}
    }
    let is_end = |name: &str| name == "from" || name == "to";
    let moment = |name: &str, text: &str| is_end(name).then(|| by_clock(text, now, zone)).flatten();
    if !params.pairs().any(|(name, text)| moment(name, text).is_some()) {
        return None;
    }
    let written = |(name, text): (&str, &str)| {
        let value = moment(name, text).map_or_else(|| text.to_owned(), |moment| moment.get().to_string());
        format!("{}={}", encoded(name), encoded(&value))
    };
    Some(format!("{}?{}", links.plain(path).href(), params.pairs().map(written).collect::<Vec<_>>().join("&")))
}
