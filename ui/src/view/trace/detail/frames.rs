//! Stack traces with the frames of libraries folded, so that one's own stand out.
//!
//! Which frames are of a library is told by where their file lies or what their package is called. What is no frame always stays.

use crate::view::format;

/// A part of a stack trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Lines of it.
    pub(crate) text: String,
    /// `12 frames of libraries`, when the lines are folded; else empty.
    pub(crate) folded: String,
}

/// A stack trace in parts. Nothing is folded of one whose frames are all of libraries.
pub(super) fn parts(stack: &str) -> Vec<Part> {
    let frames = frames(stack);
    let has_own = frames.iter().any(|frame| frame.kind == Kind::Own);
    let mut parts: Vec<Part> = Vec::new();
    for run in frames.chunk_by(|a, b| (a.kind == Kind::Library) == (b.kind == Kind::Library)) {
        let text = run.iter().flat_map(|frame| frame.lines.iter().copied()).collect::<Vec<_>>().join("\n");
        let is_folded = has_own && run.len() >= FEWEST && run.first().is_some_and(|frame| frame.kind == Kind::Library);
        if is_folded {
            parts.push(Part { text, folded: format::counted(run.len() as u64, "frame of a library", "frames of libraries") });
        } else if let Some(last) = parts.last_mut().filter(|last| last.folded.is_empty()) {
            last.text = format!("{}\n{text}", last.text);
        } else {
            parts.push(Part { text, folded: String::new() });
        }
    }
    parts
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// What is said between frames.
    Word,
    Own,
    Library,
}

/// Lines that belong together.
#[derive(Debug)]
struct Frame<'a> {
    lines: Vec<&'a str>,
    kind: Kind,
}

fn frames(stack: &str) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    let mut lines = stack.lines().peekable();
    while let Some(line) = lines.next() {
        let mut frame = vec![line];
        let trimmed = line.trim_start();
        let next = lines.peek().copied().unwrap_or_default();
        // Python has the code below the file; Go and Rust have the file below the function.
        let goes_on = (trimmed.starts_with("File \"") && !next.trim_start().starts_with("File \"") && indent(next) > indent(line))
            || (is_go(line) && next.starts_with('\t') && next.contains(".go:"))
            || (is_numbered(trimmed) && next.trim_start().starts_with("at "));
        let is_frame = goes_on || trimmed.starts_with("at ") || trimmed.starts_with("File \"") || is_in_file(trimmed);
        if goes_on {
            frame.extend(lines.next());
        }
        let kind = if !is_frame {
            Kind::Word
        } else if frame.iter().any(|line| is_of_library(line)) {
            Kind::Library
        } else {
            Kind::Own
        };
        frames.push(Frame { lines: frame, kind });
    }
    frames
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// `main.charge(0x1)`: the first of two lines.
fn is_go(line: &str) -> bool {
    !line.starts_with(char::is_whitespace) && (line.ends_with(')') || line.starts_with("created by "))
}

/// `12: std::panicking::begin_panic`.
fn is_numbered(trimmed: &str) -> bool {
    trimmed.split_once(": ").is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `/app/models/card.rb:12:in 'charge'`, `#3 /app/src/Card.php(12): charge()`.
fn is_in_file(trimmed: &str) -> bool {
    let is_ruby = (trimmed.starts_with('/') || trimmed.starts_with("from /")) && trimmed.contains(".rb:");
    is_ruby || (trimmed.starts_with('#') && trimmed.contains(".php("))
}

fn is_of_library(line: &str) -> bool {
    let line = line.trim_start();
    PLACES.iter().any(|place| line.contains(place))
        || line.strip_prefix("at ").is_some_and(|called| {
            // `java.base/java.lang.Thread.run` names its module first.
            let called = called.split_once('/').map_or(called, |(module, rest)| if module.contains('(') { called } else { rest });
            PACKAGES.iter().any(|package| called.starts_with(package))
        })
}

/// Where files of libraries lie.
const PLACES: [&str; 15] = [
    "/site-packages/",
    "/dist-packages/",
    "/lib/python",
    "<frozen ",
    "node_modules/",
    "(node:",
    "at node:",
    "/go/pkg/mod/",
    "/usr/local/go/src/",
    "/usr/lib/go",
    "/rustc/",
    "/.cargo/registry/",
    "/gems/",
    "/lib/ruby/",
    "/vendor/",
];

/// What packages of libraries are called that are not told by a place.
const PACKAGES: [&str; 29] = [
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "jakarta.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "org.springframework.",
    "org.apache.",
    "org.hibernate.",
    "org.eclipse.",
    "org.jboss.",
    "org.postgresql.",
    "com.mysql.",
    "com.zaxxer.",
    "com.fasterxml.",
    "com.google.common.",
    "io.netty.",
    "io.grpc.",
    "io.opentelemetry.",
    "io.quarkus.",
    "io.micronaut.",
    "io.vertx.",
    "reactor.",
    "okhttp3.",
    "System.",
    "Microsoft.",
];

/// Fewer frames are not worth folding.
const FEWEST: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// Folded parts as their words, others as they are.
    fn told(stack: &str) -> Vec<String> {
        let told = |part: Part| if part.folded.is_empty() { part.text } else { part.folded.replace('\u{a0}', " ") };
        parts(stack).into_iter().map(told).collect()
    }

    #[test]
    fn frames_of_libraries_are_folded_in_every_language() {
        let java = "com.shop.Declined: card\n\tat com.shop.Pay.charge(Pay.java:12)\n\tat org.springframework.web.Servlet.go(Servlet.java:9)\n\tat java.base/java.lang.Thread.run(Thread.java:1)\nCaused by: x";
        assert_eq!(told(java), ["com.shop.Declined: card\n\tat com.shop.Pay.charge(Pay.java:12)", "2 frames of libraries", "Caused by: x"]);
        let python = "Traceback (most recent call last):\n  File \"/usr/lib/python3/site-packages/flask/app.py\", line 1, in run\n    return go()\n  File \"/usr/lib/python3/site-packages/flask/a.py\", line 2, in go\n    x()\n  File \"/app/pay.py\", line 3, in charge\n    raise E\nE: no";
        assert_eq!(
            told(python),
            [
                "Traceback (most recent call last):",
                "2 frames of libraries",
                "  File \"/app/pay.py\", line 3, in charge\n    raise E\nE: no"
            ]
        );
        let node = "Error: no\n    at charge (/app/pay.js:3:1)\n    at Layer.handle (/app/node_modules/express/lib/layer.js:95:5)\n    at process.run (node:internal/process/task_queues:95:5)";
        assert_eq!(told(node), ["Error: no\n    at charge (/app/pay.js:3:1)", "2 frames of libraries"]);
        let go = "goroutine 1 [running]:\nmain.charge(0x1)\n\t/app/pay.go:3 +0x1\nnet/http.serve()\n\t/usr/local/go/src/net/http/server.go:1 +0x2\ncreated by net/http.Serve\n\t/usr/local/go/src/net/http/server.go:2 +0x3";
        assert_eq!(told(go), ["goroutine 1 [running]:\nmain.charge(0x1)\n\t/app/pay.go:3 +0x1", "2 frames of libraries"]);
        let rust = "   0: std::panicking::go\n             at /rustc/abc/library/std/src/panicking.rs:1:5\n   1: core::panic\n             at /rustc/abc/library/core/src/panic.rs:2:5\n   2: pay::charge\n             at ./src/pay.rs:3:5";
        assert_eq!(told(rust), ["2 frames of libraries", "   2: pay::charge\n             at ./src/pay.rs:3:5"]);
    }

    #[test]
    fn a_stack_of_libraries_alone_one_such_frame_and_other_texts_stand_as_they_are() {
        for stack in [
            "E: no\n\tat java.lang.A.a(A.java:1)\n\tat java.lang.B.b(B.java:2)",
            "E\n\tat com.shop.A.a(A.java:1)\n\tat java.lang.B.b(B.java:2)\n\tat com.shop.C.c(C.java:3)",
            "nothing that looks like a stack /vendor/ node_modules/",
        ] {
            assert_eq!(parts(stack), [Part { text: stack.to_owned(), folded: String::new() }]);
        }
        assert!(parts("").is_empty());
    }
}
