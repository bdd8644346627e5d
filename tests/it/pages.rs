//! Pages from outside: what *Getting started* says works as it stands, colours outlive the process, and open streams end with it.

use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::http::{get, get_json, post};
use crate::otlp;
use crate::server::Server;

/// The text that a page shows for copying, as a browser would copy it.
fn shown(html: &str, begins: &str) -> String {
    let blocks = html.split("data-copy-block").skip(1).filter_map(|rest| rest.split_once('>'));
    let texts = blocks.filter_map(|(_, rest)| rest.split_once("</pre>")).map(|(text, _)| text);
    let plain = |text: &str| {
        let entities = [
            ("&#34;", "\""),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&#x27;", "'"),
            ("&lt;", "<"),
            ("&#60;", "<"),
            ("&gt;", ">"),
            ("&#62;", ">"),
        ];
        entities.into_iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c)).replace("&#38;", "&").replace("&amp;", "&")
    };
    texts.map(plain).find(|text| text.starts_with(begins)).unwrap_or_else(|| panic!("no block begins with {begins}: {html}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_of_getting_started_works_as_it_is_copied() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let page = get(server.ui, "/").await.text();
    let command = shown(&page, "curl -i ");
    assert!(command.contains(&format!("http://{}/v1/traces", server.http)), "{command}");
    if Command::new("curl").arg("--version").output().is_err() {
        let _ = std::io::stderr().write_all(b"skipped: curl is not here\n");
        return;
    }
    let ran = tokio::task::spawn_blocking(move || Command::new("bash").args(["-c", &command]).output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let services = get_json(server.ui, "/api/v1/services").await;
    assert!(services.to_string().contains("\"hello\""), "{services}");
    assert!(get(server.ui, "/start").await.text().contains("hello"), "the page does not say what arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sender_is_told_of_on_getting_started_with_what_mends_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let refused = post(server.http, "/v1/traces", "text/plain", "x").await.unwrap();
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let page = get(server.ui, "/start").await.text();
    assert!(page.contains("application/x-protobuf or application/json"), "{page}");
}

/// The class of a service's mark on the page of services.
async fn slot(server: &Server, service: &str) -> String {
    let page = get(server.ui, "/services").await.text();
    let before = page.split(&format!("<span class=\"chip-name\">{service}</span>")).next().unwrap();
    before.rsplit("mono-chip ").next().unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn services_keep_their_colours_when_others_appear_and_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let send = async |server: &Server, service: &str, id: u8| {
        let body = otlp::traces(service, vec![otlp::span([id; 16], [id; 8], "a")]);
        assert_eq!(post(server.http, "/v1/traces", "application/x-protobuf", body).await.unwrap().status, StatusCode::OK);
    };
    send(&server, "orders", 1).await;
    let first = slot(&server, "orders").await;
    for (id, name) in ["aaa", "bbb", "zzz"].into_iter().enumerate() {
        send(&server, name, u8::try_from(id).unwrap() + 2).await;
    }
    assert_eq!(slot(&server, "orders").await, first);
    assert_ne!(slot(&server, "aaa").await, first);
    server.kill();
    let server = Server::start(data.path(), &[]);
    assert_eq!(slot(&server, "orders").await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_news_end_with_the_server() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = std::net::TcpStream::connect(server.ui).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET /live?for=start HTTP/1.1\r\nHost: {}\r\n\r\n", server.ui).unwrap();
        let mut head = [0; 64];
        let read = stream.read(&mut head).unwrap();
        assert!(head.get(..read).unwrap().starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        streams.push(stream);
    }
    let began = Instant::now();
    let status = server.terminate(Duration::from_secs(8)).expect("open streams held the server up");
    assert!(status.success(), "{status}");
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
}
