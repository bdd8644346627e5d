//! Stylesheet, script and icons, embedded in the program and served under the hash of their content.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::error::Failure;

#[cfg(test)]
mod colours;

type Asset = (&'static str, &'static str, &'static [u8]);

const ASSETS: [Asset; 4] = [
    ("app.css", "text/css; charset=utf-8", include_bytes!("../../assets/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/app.js")),
    ("icons.svg", "image/svg+xml", include_bytes!("../../assets/icons.svg")),
    ("mark.svg", "image/svg+xml", include_bytes!("../../assets/mark.svg")),
];

/// Changes when any asset does, so that each may be kept forever.
pub(crate) fn hash() -> &'static str {
    static HASH: LazyLock<String> = LazyLock::new(|| {
        let bytes = ASSETS.iter().flat_map(|(name, _, content)| name.bytes().chain(content.iter().copied()));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{hash:016x}")
    });
    &HASH
}

/// One asset. A page of another version may still ask by its old hash; it gets what there is now, but may not keep it.
pub(super) async fn file(Path((asked, file)): Path<(String, String)>) -> Result<Response, Failure> {
    let found = ASSETS.iter().find(|(name, ..)| *name == file);
    let (_, form, content) = found.ok_or_else(|| Failure::not_found("there is no such file"))?;
    let cache = if asked == hash() { "public, max-age=31536000, immutable" } else { "no-store" };
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(form)), (CACHE_CONTROL, HeaderValue::from_static(cache))];
    Ok((headers, *content).into_response())
}
