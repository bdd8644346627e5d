//! `check` and `repair` with the real binary: data folders that were damaged in one place, or lost a file.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::durability::{acknowledged, compare};
use crate::http::{encode, get_json};
use crate::server::{Server, command};
use crate::tools::{expect, word};

/// A folder that was stopped once and killed once, and what was acknowledged.
struct Original {
    folder: tempfile::TempDir,
    acknowledged: HashMap<(String, String), u64>,
}

/// Done to a data folder.
type Damage = fn(&Path);
/// Done to a file of so many bytes.
type DamageFile = fn(&Path, usize);

const ITEMS: [(&str, u64); 2] = [("spans", 6_000), ("logs", 2_000)];
const PER_REQUEST: u64 = 100;

impl Original {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, ledger) = (folder.path().join("data"), folder.path().join("ledger"));
        for round in 0..2 {
            let mut server = Server::start(&data, &[]);
            let status = command()
                .args([
                    "load",
                    "--spans",
                    "3000",
                    "--logs",
                    "1000",
                    "--connections",
                    "1",
                    "--spans-per-request",
                    &PER_REQUEST.to_string(),
                    "--json",
                ])
                .args(["--endpoint", &format!("http://{}", server.http), "--ledger"])
                .arg(&ledger)
                .output()
                .unwrap();
            assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
            if round == 0 {
                assert!(server.terminate(Duration::from_secs(20)).is_some(), "it did not stop");
            } else {
                server.kill();
            }
        }
        remove_left_overs(&data);
        Self { acknowledged: acknowledged(&ledger), folder }
    }

    /// A copy to be damaged.
    fn copy(&self) -> (tempfile::TempDir, PathBuf) {
        let to = tempfile::tempdir().unwrap();
        copy(&self.folder.path().join("data"), &to.path().join("data"));
        let data = to.path().join("data");
        (to, data)
    }
}

/// What a merge left that was killed: it is as large as the data, and no part of it.
fn remove_left_overs(data: &Path) {
    let said = command().arg("check").arg(data).output().unwrap();
    for line in String::from_utf8_lossy(&said.stdout).lines().filter(|line| line.contains(": left over from")) {
        let path = line.trim_start_matches("ok").trim_start().split(": ").next().unwrap();
        fs::remove_file(path).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Every file with its bytes, but for the lock.
fn files(folder: &Path) -> HashMap<PathBuf, Vec<u8>> {
    let mut found = HashMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("LOCK") {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// The largest file of a kind.
fn of_kind(data: &Path, folder: &str, extension: &str) -> PathBuf {
    let all = files(&data.join(folder)).into_iter().filter(|(path, _)| path.extension().is_some_and(|found| found == extension));
    all.max_by_key(|(_, bytes)| bytes.len()).unwrap().0
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Damages a copy, has it checked and repaired; a dry run before changes nothing, and nothing is gone afterwards but what was moved.
fn repaired(original: &Original, damage: impl FnOnce(&Path), (is_seen, code): (bool, i32)) -> (tempfile::TempDir, PathBuf, String) {
    let (folder, data) = original.copy();
    damage(&data);
    let before = files(&data);
    let said = expect(i32::from(is_seen), &["check", word(&data)]);
    assert_eq!(said.contains("throughline repair"), is_seen, "{said}");
    let dry = expect(code, &["repair", "--dry-run", word(&data)]);
    assert_eq!(files(&data), before, "a dry run writes nothing: {dry}");
    let said = expect(code, &["repair", word(&data)]);
    let after: Vec<Vec<u8>> = files(&data).into_values().collect();
    for (path, bytes) in before {
        assert!(after.contains(&bytes), "{} is gone: {said}", path.display());
    }
    expect(0, &["check", word(&data)]);
    let again = expect(0, &["repair", word(&data)]);
    assert!(again.contains("nothing to repair"), "{again}");
    (folder, data, said)
}

async fn counted(server: &Server) -> [u64; 2] {
    let mut counts = [0; 2];
    for ((table, _), count) in ITEMS.iter().zip(&mut counts) {
        let sql = format!("/api/v1/sql?query={}", encode(&format!("SELECT count(*) AS n FROM {table}")));
        *count = get_json(server.ui, &sql).await["rows"][0]["n"].as_u64().unwrap();
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_folder_is_repaired_and_says_what_is_lost() {
    let original = Original::new();
    let without_loss: [(&str, bool, Damage); 6] = [
        ("bytes appended to rows", true, |data| {
            let rows = of_kind(data, "seg/traces", "parquet");
            fs::write(&rows, [&fs::read(&rows).unwrap()[..], b"more"].concat()).unwrap();
        }),
        ("a deleted index", true, |data| fs::remove_file(of_kind(data, "seg/traces", "idx")).unwrap()),
        ("a flipped bit in an index", true, |data| flip(&of_kind(data, "seg/logs", "idx"), 100)),
        ("a deleted manifest", true, |data| fs::remove_file(data.join("manifest/log")).unwrap()),
        ("a deleted folder of the manifest", true, |data| fs::remove_dir_all(data.join("manifest")).unwrap()),
        ("a foreign file", false, |data| fs::write(data.join("seg/traces/notes.txt"), "mine").unwrap()),
    ];
    for (name, is_seen, damage) in without_loss {
        let (_folder, data, said) = repaired(&original, damage, (is_seen, 0));
        assert!(!said.contains("LOST"), "{name}: {said}");
        let mut server = Server::start(&data, &[]);
        assert!(compare(&server, &original.acknowledged).await > 50, "{name}");
        assert_eq!(counted(&server).await, ITEMS.map(|(_, count)| count), "{name}: {said}");
        server.kill();
        assert_eq!(data.join("seg/traces/notes.txt").exists(), !is_seen, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_any_more_is_named_and_the_rest_is_kept() {
    let original = Original::new();
    let [spans, logs] = ITEMS.map(|(_, count)| count);
    let damages: [(&str, DamageFile); 2] = [
        ("a flipped bit", |path, len| flip(path, len / 2)),
        ("a truncated file", |path, len| fs::File::options().write(true).open(path).unwrap().set_len(len as u64 / 2).unwrap()),
    ];
    for (name, damage) in damages {
        let mut broken = PathBuf::new();
        let hurt = |data: &Path| {
            broken = of_kind(data, "seg/traces", "parquet");
            damage(&broken, fs::read(&broken).unwrap().len());
        };
        let (_folder, data, said) = repaired(&original, hurt, (true, 1));
        let file = broken.file_name().unwrap().to_str().unwrap();
        assert!(said.lines().any(|line| line.starts_with("LOST") && line.contains(file)), "{name}: {said}");
        assert!(said.contains("set-aside"), "{name}: {said}");
        let mut server = Server::start(&data, &[]);
        let [left, all_logs] = counted(&server).await;
        assert!(all_logs == logs && left < spans && left >= spans / 2, "{name}: {left} spans and {all_logs} logs are left: {said}");
        server.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_damaged_in_the_middle_is_refused_with_words_and_then_repaired() {
    let original = Original::new();
    let mut broken = PathBuf::new();
    let hurt = |data: &Path| {
        broken = of_kind(data, "wal", "wal");
        // In the first request: damage in the group that was written last looks like a write that a crash cut off, and those groups may be large.
        flip(&broken, 400);
        let said = Server::try_start(data, &[]).unwrap_err();
        assert!(said.contains(broken.to_str().unwrap()) && said.contains("at offset ") && said.contains("throughline repair"), "{said}");
    };
    let (_folder, data, said) = repaired(&original, hurt, (true, 1));
    assert!(said.contains(&format!("of {}", broken.display())), "{said}");
    let mut server = Server::start(&data, &[]);
    let counts = counted(&server).await;
    let all = ITEMS.map(|(_, count)| count);
    let lost: Vec<u64> = all.iter().zip(counts).map(|(all, left)| all - left).collect();
    assert!((1..=PER_REQUEST).contains(&lost.iter().sum()), "{lost:?} are lost: {said}");
    server.kill();
}
