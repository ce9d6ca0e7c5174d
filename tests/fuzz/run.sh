#!/usr/bin/env bash
# Runs the fuzz targets, each for so many seconds: run.sh SECONDS [TARGET …]. What breaks one is left in artifacts/.
set -euo pipefail
cd "$(dirname "$0")"
seconds=$1
shift
tools=$PWD/../../target/tools
export PATH="$tools/bin:$PATH" CARGO_TARGET_DIR="$PWD/../../target/fuzz" RUSTC_BOOTSTRAP=1
command -v c++ >/dev/null || { echo "fuzz: a C++ compiler is missing; run: sudo apt-get install -y g++" >&2; exit 1; }
command -v cargo-fuzz >/dev/null || env -u RUSTC_BOOTSTRAP -u CARGO_TARGET_DIR cargo install cargo-fuzz --locked --root "$tools"
targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(basename -s .rs fuzz_targets/*.rs)
for target in "${targets[@]}"; do
    echo "== $target, $seconds s"
    mkdir -p "corpus/$target"
    cargo fuzz run --fuzz-dir . "$target" -- -max_total_time="$seconds" -rss_limit_mb=4096 -print_final_stats=1 2>&1 |
        tee "../../target/fuzz-$target.log" | grep -E "^(Done|stat::|SUMMARY|thread|==[0-9]+)|panicked|Test unit written" || true
    # The pipe hides the exit code; the log says it.
    if ! grep -q "^Done " "../../target/fuzz-$target.log"; then
        echo "fuzz: $target found something; see tests/fuzz/artifacts/$target" >&2
        exit 1
    fi
done
