//! `backup` and `restore` with the real binary, under load.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::durability::{acknowledged, compare};
use crate::http::{get, send};
use crate::server::{Server, command};
use crate::tools::{expect, word};

/// `throughline load` in the background; killed when dropped.
struct Load(Child);

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn load(server: &Server, ledger: &Path, what: &str) -> Load {
    let child = command()
        .args(["load", what, "3000000", "--spans-per-request", "200", "--connections", "2", "--give-up-after", "1s"])
        .args(["--endpoint", &format!("http://{}", server.http), "--ledger"])
        .arg(ledger)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Load(child.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_backup_under_load_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut server = Server::start(&at("data"), &["--buffer-bytes", "1MiB", "--flush-interval", "300ms"]);
    let loads = [load(&server, &at("ledger"), "--spans"), load(&server, &at("ledger"), "--logs")];
    let url = format!("http://{}", server.ui);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let view = Bytes::from_static(b"name=Slow+checkouts&address=%2Ftraces%3Fq%3Da");
    assert_eq!(send(server.ui, Method::POST, "/saved", &form, view).await.unwrap().status, 303);
    let mut before: Vec<HashMap<(String, String), u64>> = Vec::new();
    for round in 0..4 {
        let enough = (round + 1) * 30;
        let mut ledger = acknowledged(&at("ledger"));
        for _ in 0..600 {
            if ledger.len() >= enough {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            ledger = acknowledged(&at("ledger"));
        }
        assert!(ledger.len() >= enough, "{} traces were acknowledged", ledger.len());
        before.push(ledger);
        let said = expect(0, &["backup", "--url", &url, word(&at("vault"))]);
        assert!(said.contains(" files, "), "{round}: {said}");
    }
    drop(loads);
    server.kill();
    let listed = expect(0, &["restore", word(&at("vault"))]);
    let ids: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next().filter(|id| id.len() == 26)).collect();
    assert_eq!(ids.len(), 4, "{listed}");
    for (round, (id, expected)) in ids.iter().zip(&before).enumerate() {
        let restored = at(&format!("restored-{round}"));
        expect(0, &["restore", word(&at("vault")), word(&restored), "--at", id]);
        expect(0, &["check", word(&restored)]);
        let mut server = Server::start(&restored, &[]);
        compare(&server, expected).await;
        assert!(get(server.ui, "/saved").await.text().contains("Slow checkouts"), "saved views are in a backup");
        server.kill();
    }
    // Only what is new is copied, offline too, and old ones go.
    let said = expect(0, &["backup", word(&at("data")), word(&at("vault")), "--keep", "2"]);
    assert!(said.contains("3 older backups were removed"), "{said}");
    let copied = |said: &str| said.split(", ").find_map(|part| part.strip_suffix(" of them new")?.parse::<usize>().ok()).unwrap();
    let again = expect(0, &["backup", word(&at("data")), word(&at("vault"))]);
    assert!(copied(&again) < 10 && !again.contains("DAMAGED"), "{again}");
    expect(0, &["restore", word(&at("vault")), word(&at("last"))]);
    // Once more is as good as once; what is not this backup is left alone.
    expect(0, &["restore", word(&at("vault")), word(&at("last"))]);
    expect(2, &["restore", word(&at("vault")), word(&at("data"))]);
    expect(1, &["restore", word(&at("data"))]);
    expect(2, &["backup", word(&at("data"))]);
    damaged_backups_are_mended_and_kept_apart(folder.path());
}

/// With a data folder `data`, and its newest backup in `vault`.
fn damaged_backups_are_mended_and_kept_apart(folder: &Path) {
    let at = |name: &str| folder.join(name);
    let names = |of: &str| -> Vec<String> {
        fs::read_dir(at(of)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let stored = names("data/seg/traces").into_iter().find(|name| name.ends_with(".parquet")).unwrap();
    let kept = at("vault/seg/traces").join(names("vault/seg/traces").into_iter().find(|name| name.starts_with(&stored)).unwrap());
    let mut bytes = fs::read(&kept).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&kept, bytes).unwrap();
    let said = expect(1, &["restore", word(&at("vault")), word(&at("damaged"))]);
    assert!(said.contains(&stored), "{said}");
    let said = expect(0, &["backup", word(&at("data")), word(&at("vault"))]);
    assert!(said.contains(kept.file_name().unwrap().to_str().unwrap()) && said.contains("is damaged"), "{said}");
    expect(0, &["restore", word(&at("vault")), word(&at("mended"))]);
    expect(0, &["check", word(&at("mended"))]);
    let mut other = Server::start(&at("other"), &[]);
    assert!(other.terminate(Duration::from_secs(20)).is_some_and(|ended| ended.success()));
    let said = expect(2, &["backup", word(&at("other")), word(&at("vault"))]);
    assert!(said.contains("backups of another data folder"), "{said}");
}
