#!/usr/bin/env bash
# Builds what the test kit is shipped as: target/testkit/*.whl for pytest, target/testkit/*.tgz for Node. On Linux the program
# needs no library of the system, so that it runs on every distribution.
set -euo pipefail
if (($#)); then
    usage="usage: tests/emulator/package.sh (make testkit); it takes no arguments, and writes target/testkit"
    [[ $* == --help || $* == -h ]] && { echo "$usage"; exit; }
    echo "testkit: there is no argument $1; $usage" >&2
    exit 2
fi
cd "$(dirname "$0")/../.."
host=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-target}
# With a target the flags reach the program alone, not macros and build scripts.
[[ $host != *linux* ]] || export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
cargo build --locked --quiet --release -p junfeiai-emulator --target "$host"
rm -f target/testkit/*.whl target/testkit/*.tgz
target/venv/bin/maturin build --quiet --locked --release --target "$host" -m tests/emulator/Cargo.toml --out target/testkit
program=$target/$host/release/junfeiai-emulator
[[ -e $program ]] || program+=.exe
# maturin names one C library of Linux; a program that needs none runs on both.
[[ $host != *linux* ]] || python3 tests/packages/archive.py program target/testkit/*.whl
node tests/emulator/npm/pack.mjs --program "$program" >/dev/null
ls -l target/testkit/*.whl target/testkit/*.tgz
