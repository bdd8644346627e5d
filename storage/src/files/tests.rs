use std::fs;
use std::path::Path;

/// Ways to a file that are not the seam's.
const DOORS: [&str; 7] = ["std::fs", "fs::", "OpenOptions", "MmapDirectory", ".exists()", ".is_dir()", ".is_file()"];

/// Lines of a source file outside tests, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..tests].lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn visit(folder: &Path, seen: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["files", "tests"].contains(&name) {
            visit(&path, seen);
        }
        if !name.ends_with(".rs") || ["tests.rs", "fixture.rs", "fixtures.rs"].contains(&name) {
            continue;
        }
        *seen += 1;
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in lines(&text) {
            let door = DOORS.iter().find(|door| line.contains(**door));
            assert!(door.is_none(), "{}:{}: files are reached through `files` only: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn nothing_else_reaches_files() {
    let mut seen = 0;
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut seen);
    assert!(seen > 80, "{seen} files were read");
}
