//! What the map says of the window before, through the routes.

use prost::Message as _;
use storage::Signal;

use crate::harness::{App, NOW, requests, spans};

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_told_of_what_is_shown() {
    let app = App::empty().await;
    let every_minute: Vec<_> = (0..21_u8).map(|age| (age + 1, u64::from(age) * 60 + 5, 1, false)).collect();
    app.append(Signal::Traces, requests(&every_minute).encode_to_vec()).await;
    app.append(Signal::Traces, spans().encode_to_vec()).await;
    let told = async |focus: &str| {
        let path = format!("/map?from={}&to={NOW}&change=1&focus={focus}", NOW - 600_000_000_000);
        app.get(&path).await.text().replace('\u{a0}', " ")
    };
    let (all, near, far) = (told("").await, told("payment").await, told("user").await);
    for page in [&all, &near, &far] {
        assert!(page.contains("Nothing is worse than in the window before"), "{page}");
    }
    assert!(all.contains("1 is new.") && near.contains("1 is new."), "{near}");
    assert!(!far.contains("is new"), "the new dependency is not shown: {far}");
}
