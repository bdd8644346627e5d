# Run `just` to see the recipes.

_default:
    @just --list

# Format the code
fmt:
    cargo fmt --all

# Lints, denied
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# All tests; installs what they need
test *ARGS:
    bash tests/run {{ARGS}}

# The store on a simulated disk: so many seeds, from the first one
simulate COUNT FIRST="0":
    THROUGHLINE_SIMULATE={{COUNT}} THROUGHLINE_SIMULATE_FIRST={{FIRST}} cargo test --workspace --lib --locked -- --nocapture what_was_acknowledged_survives

# The parts of the store by themselves, measured by criterion; ARGS choose among them
bench *ARGS:
    cargo bench --workspace --locked --bench storage -- {{ARGS}}

# Documentation, private items included
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

# Licences, advisories, duplicates
deny:
    cargo deny check

# What a change must pass
gate:
    bash .ci/run

# Throughline with the sample shop
demo:
    cargo run --release -- --demo

# Send a load to a running Throughline
load SPANS="1000000":
    cargo run --release -- load --spans {{SPANS}}

# Everything that a browser can prove
ui-tests:
    npm ci --prefix tests/browser --silent
    npm ci --prefix tests/browser/lighthouse --silent
    UI_TESTS=all cargo test --workspace --locked --test it -- browser pages

# Keep what a screen reader is told of each page now; look at the difference before it is committed
aria:
    cargo build --workspace --locked
    SHOP_SECONDS=1 tests/browser/with-shop aria.mjs keep

# Pictures of every key state, light and dark, wide and narrow, in FOLDER
shots FOLDER="target/shots" WORD="":
    cargo build --workspace --locked
    tests/browser/with-shop shots.mjs {{FOLDER}} {{WORD}}
