//! Content types: how a request is written, and how its answer will be.

use ::http::header::{self, HeaderMap, HeaderValue};

use crate::config::Config;
use crate::error::{Refusal, bounded};
use crate::metrics::Encoding;

/// What the `content-type` of a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Known(Encoding),
    Missing,
    Repeated,
    Other(String),
}

// === impl Media ===

impl Media {
    /// Reads the header; parameters and case do not matter.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(header::CONTENT_TYPE).iter();
        let Some(value) = values.next() else { return Self::Missing };
        if values.next().is_some() {
            return Self::Repeated;
        }
        let value = value.to_str().unwrap_or("?");
        let essence = value.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-protobuf") {
            Self::Known(Encoding::Protobuf)
        } else if essence.eq_ignore_ascii_case("application/json") {
            Self::Known(Encoding::Json)
        } else {
            Self::Other(bounded(essence.escape_default().to_string(), 64))
        }
    }

    /// Whether it is gRPC's.
    pub(super) fn is_grpc(&self) -> bool {
        let Self::Other(kind) = self else { return false };
        let kind = kind.to_ascii_lowercase();
        kind == "application/grpc" || kind.starts_with("application/grpc+")
    }

    /// The encoding of the request, or why there is none.
    pub(super) fn encoding(&self, config: &Config) -> Result<Encoding, Refusal> {
        match self {
            Self::Known(encoding) => Ok(*encoding),
            Self::Missing => Err(Refusal::MediaType { got: "is missing".to_owned(), hint: String::new() }),
            Self::Repeated => Err(Refusal::Malformed("content-type is given more than once; send it once".to_owned())),
            Self::Other(got) => Err(Refusal::MediaType { got: format!("{got} is not taken"), hint: hint(got, config) }),
        }
    }

    /// The encoding of the answer: the request's, else JSON, which people can read.
    pub(super) fn answer_encoding(&self) -> Encoding {
        match self {
            Self::Known(encoding) => *encoding,
            _ => Encoding::Json,
        }
    }
}

fn hint(essence: &str, config: &Config) -> String {
    let essence = essence.to_ascii_lowercase();
    if essence.starts_with("application/grpc") {
        format!("; this port speaks OTLP/HTTP; {}", config.way_to_grpc())
    } else if essence.ends_with("protobuf") {
        "; OTLP names its protobuf type application/x-protobuf".to_owned()
    } else {
        String::new()
    }
}

pub(super) fn content_type(encoding: Encoding) -> HeaderValue {
    HeaderValue::from_static(match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Media {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_static(value));
        }
        Media::of(&headers)
    }

    #[test]
    fn parameters_and_case_do_not_matter() {
        assert_eq!(of(&["application/json; charset=utf-8"]), Media::Known(Encoding::Json));
        assert_eq!(of(&["Application/JSON"]), Media::Known(Encoding::Json));
        assert_eq!(of(&["application/x-protobuf;v=1"]), Media::Known(Encoding::Protobuf));
        assert!(of(&["Application/GRPC"]).is_grpc() && of(&["application/grpc+proto"]).is_grpc());
        assert!(!of(&["application/grpc-web"]).is_grpc() && !of(&["application/json"]).is_grpc());
    }

    #[test]
    fn what_is_missing_repeated_or_foreign_is_refused_with_a_hint() {
        assert_eq!(of(&[]).encoding(&Config::default()).unwrap_err().http_status(), 415);
        assert_eq!(of(&["application/json", "application/json"]).encoding(&Config::default()).unwrap_err().http_status(), 400);
        let refusal = of(&["application/protobuf"]).encoding(&Config::default()).unwrap_err();
        assert!(refusal.message().contains("x-protobuf"), "{refusal}");
        let grpc = |config: &Config| of(&["application/grpc"]).encoding(config).unwrap_err().message();
        let elsewhere = Config { grpc: Some(([0, 0, 0, 0], 26_317).into()), ..Config::default() };
        assert!(grpc(&elsewhere).contains("send OTLP/gRPC to port 26317"), "{}", grpc(&elsewhere));
        assert!(grpc(&Config { grpc: None, ..Config::default() }).contains("OTLP/gRPC is switched off"));
    }
}
