//! Stylesheet, script and icons, embedded in the program and served under the hash of their content.
//!
//! They are packed once, by Brotli, which makes them smallest; browsers take it over TLS and from this machine. For others the middleware packs
//! them as it packs pages.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use brotli::enc::BrotliEncoderParams;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};

use crate::error::Failure;

#[cfg(test)]
mod colours;

/// Name, content type, and content as it is written.
type Asset = (&'static str, &'static str, &'static str);

const ASSETS: [Asset; 4] = [
    ("app.css", "text/css; charset=utf-8", include_str!("../../assets/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_str!("../../assets/app.js")),
    ("icons.svg", "image/svg+xml", include_str!("../../assets/icons.svg")),
    ("mark.svg", "image/svg+xml", include_str!("../../assets/mark.svg")),
];

/// An asset as it is sent.
#[derive(Debug)]
struct Packed {
    plain: Bytes,
    /// Empty when it could not be packed.
    brotli: Bytes,
}

/// Changes when any asset does, so that each may be kept forever.
pub(crate) fn hash() -> &'static str {
    static HASH: LazyLock<String> = LazyLock::new(|| {
        let bytes = ASSETS.iter().flat_map(|(name, _, content)| name.bytes().chain(content.bytes()));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{hash:016x}")
    });
    &HASH
}

/// One asset. A page of another version may still ask by its old hash; it gets what there is now, but may not keep it.
pub(super) async fn file(Path((asked, file)): Path<(String, String)>, headers: HeaderMap) -> Result<Response, Failure> {
    let place = ASSETS.iter().position(|(name, ..)| *name == file);
    // The first to ask waits until all are packed, a tenth of a second, which is too long for a thread that others wait for.
    let packed = match place {
        Some(place) => tokio::task::spawn_blocking(move || PACKED.get(place)).await.ok().flatten(),
        None => None,
    };
    let form = place.and_then(|place| ASSETS.get(place)).map_or("", |(_, form, _)| *form);
    let packed = packed.ok_or_else(|| Failure::not_found("there is no such file"))?;
    let cache = if asked == hash() { "public, max-age=31536000, immutable" } else { "no-store" };
    let common = [(CONTENT_TYPE, form), (CACHE_CONTROL, cache), (VARY, "accept-encoding")]
        .map(|(name, value)| (name, HeaderValue::from_static(value)));
    if packed.brotli.is_empty() || !takes_brotli(&headers) {
        return Ok((common, packed.plain.clone()).into_response());
    }
    Ok((common, [(CONTENT_ENCODING, HeaderValue::from_static("br"))], packed.brotli.clone()).into_response())
}

static PACKED: LazyLock<Vec<Packed>> = LazyLock::new(|| {
    let pack = |(name, _, content): &Asset| {
        let plain = if name.ends_with(".css") { squeezed(content) } else { (*content).to_owned() };
        let params = BrotliEncoderParams { quality: QUALITY, size_hint: plain.len(), ..BrotliEncoderParams::default() };
        let mut brotli = Vec::new();
        if let Err(error) = brotli::BrotliCompress(&mut plain.as_bytes(), &mut brotli, &params) {
            tracing::warn!(%error, file = name, "a file of the pages could not be packed and is sent as it is");
            brotli.clear();
        }
        Packed { plain: plain.into(), brotli: brotli.into() }
    };
    ASSETS.iter().map(pack).collect()
});

/// Whether a client says that it takes Brotli.
fn takes_brotli(headers: &HeaderMap) -> bool {
    let said = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    said.flat_map(|line| line.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case("br"))
            && !parts.any(|quality| matches!(quality, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// A stylesheet without comments and without the spaces that only people read. What stands in quotes stays.
fn squeezed(css: &str) -> String {
    const BETWEEN: [(&str, &str); 10] = [
        (" {", "{"),
        ("{ ", "{"),
        ("; }", "}"),
        (" }", "}"),
        ("; ", ";"),
        (": ", ":"),
        (", ", ","),
        ("{\n", "{"),
        ("}\n", "}"),
        (";\n", ";"),
    ];
    let mut text = String::with_capacity(css.len());
    for (place, piece) in css.split("/*").enumerate() {
        text.push_str(if place == 0 { piece } else { piece.split_once("*/").map_or("", |(_, rest)| rest) });
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    let squeeze = |piece: &str| BETWEEN.iter().fold(piece.to_owned(), |piece, (long, short)| piece.replace(long, short));
    let pieces = lines.split('"').enumerate().map(|(place, piece)| if place % 2 == 0 { squeeze(piece) } else { piece.to_owned() });
    pieces.collect::<Vec<_>>().join("\"")
}

/// Of Brotli, the most: once in the life of a process it takes a tenth of a second, for a fiftieth of every first visit.
const QUALITY: i32 = 11;

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;

    use super::*;
    use crate::harness::App;

    #[test]
    fn a_stylesheet_keeps_its_rules_and_its_quotes() {
        let css = "/* a: b; */\n.x > a, .y:not(.z) { color: red; margin: calc(1px + 2px) 0; }\n  .q::after { content: \" : , { \"; }\n@media (max-width: 9px) {\n  a { b: c; }\n}\n";
        let expected = ".x > a,.y:not(.z){color:red;margin:calc(1px + 2px) 0}.q::after{content:\" : , { \"}@media (max-width:9px){a{b:c}}";
        assert_eq!(squeezed(css), expected);
        let (_, _, whole) = ASSETS[0];
        assert_eq!(whole.matches('{').count() - whole.matches("\"{").count(), squeezed(whole).matches('{').count());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn browsers_that_take_brotli_get_it_and_a_stylesheet_of_at_most_12_kb() {
        let app = App::empty().await;
        let ask =
            |coding: &str| Request::get(format!("/a/{}/app.css", hash())).header("accept-encoding", coding).body(Body::empty()).unwrap();
        let packed = app.send(ask("gzip, deflate, br, zstd")).await;
        assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("br", "accept-encoding"));
        assert!(packed.body.len() <= 12_000, "{} bytes", packed.body.len());
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &packed.body[..], &mut unpacked).unwrap();
        for other in ["identity", "br;q=0"] {
            let plain = app.send(ask(other)).await;
            assert_eq!((plain.header("content-encoding"), &plain.body[..]), ("", &unpacked[..]), "{other}");
        }
        assert_eq!(app.send(ask("gzip, deflate")).await.header("content-encoding"), "gzip");
    }
}
