//! The arrows between the crates, and no others: `collector` and `ui` depend on `storage` and never on each other.

use std::collections::BTreeSet;
use std::fs;

const OWN: [&str; 4] = ["collector", "shop", "storage", "ui"];

fn own_dependencies(manifest: &str) -> BTreeSet<String> {
    let path = format!("{}/{manifest}", env!("CARGO_MANIFEST_DIR"));
    let manifest: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    let mut found = BTreeSet::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(table) = manifest.get(section).and_then(toml::Value::as_table) else { continue };
        found.extend(table.keys().filter(|name| OWN.contains(&name.as_str())).cloned());
    }
    found
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn crates_depend_only_along_the_arrows() {
    assert_eq!(own_dependencies("storage/Cargo.toml"), set(&[]));
    assert_eq!(own_dependencies("shop/Cargo.toml"), set(&[]));
    assert_eq!(own_dependencies("collector/Cargo.toml"), set(&["storage"]));
    assert_eq!(own_dependencies("ui/Cargo.toml"), set(&["storage"]));
    assert_eq!(own_dependencies("Cargo.toml"), set(&OWN));
}

#[test]
fn only_storage_knows_the_engines() {
    for manifest in ["collector/Cargo.toml", "ui/Cargo.toml", "shop/Cargo.toml"] {
        let path = format!("{}/{manifest}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(&path).unwrap();
        for engine in ["arrow", "datafusion", "parquet", "tantivy"] {
            assert!(!text.lines().any(|line| line.starts_with(&format!("{engine}."))), "{manifest} names {engine}");
        }
    }
}
