#!/usr/bin/env bash
# Runs the fuzz targets, each for so many seconds: run.sh SECONDS [TARGET …]. What breaks one is left in artifacts/.
# A line per target is gathered in target/fuzz-results.txt; those of runs of 300 s and more end in RESULTS.md.
set -euo pipefail
cd "$(dirname "$0")"
usage="usage: tests/fuzz/run.sh SECONDS [TARGET …] (make fuzz SECONDS=60 TARGETS=\"call wait\"); there are: $(basename -s .rs fuzz_targets/*.rs | xargs)"
[[ $* != --help && $* != -h ]] || { echo "$usage"; exit; }
seconds=${1:-}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: SECONDS is a whole number and not \"$seconds\"; $usage" >&2; exit 2; }
shift
for target in "$@"; do
    [[ -f fuzz_targets/$target.rs ]] || { echo "fuzz: there is no target $target; $usage" >&2; exit 2; }
done
tools=$PWD/../../target/tools
results=../../target/fuzz-results.txt
export PATH="$tools/bin:$PATH" CARGO_TARGET_DIR="$PWD/../../target/fuzz" RUSTC_BOOTSTRAP=1
command -v c++ >/dev/null || { echo "fuzz: a C++ compiler is missing; run: sudo apt-get install -y g++" >&2; exit 1; }
command -v cargo-fuzz >/dev/null || env -u RUSTC_BOOTSTRAP -u CARGO_TARGET_DIR cargo install cargo-fuzz --locked --root "$tools"
targets=("$@")
((${#targets[@]})) || mapfile -t targets < <(basename -s .rs fuzz_targets/*.rs)
python3 seeds.py >/dev/null
found=()
for target in "${targets[@]}"; do
    log=../../target/fuzz-$target.log
    echo "== $target, $seconds s"
    cargo fuzz run --fuzz-dir . "$target" -- -max_total_time="$seconds" -rss_limit_mb=4096 -print_final_stats=1 2>&1 |
        tee "$log" | grep -E "^(Done|stat::|SUMMARY|thread|==[0-9]+)|panicked|Test unit written" || true
    # The pipe hides the exit code; the log says it.
    if grep -q "^Done " "$log"; then
        # The last state that libFuzzer shows: edges (cov), edges with counts (ft), inputs worth keeping (corp).
        state=$(grep -oE "cov: [0-9]+ ft: [0-9]+ corp: [0-9]+" "$log" | tail -1)
        done=$(sed -nE 's/^Done ([0-9]+) runs in ([0-9]+) second.*/\1 executions in \2 s/p' "$log")
        printf '%s  %-14s %s, %s, nothing found\n' "$(date -u +%F)" "$target" "$done" "$state" | tee -a "$results"
    else
        echo "fuzz: $target found something; see tests/fuzz/artifacts/$target and target/fuzz-$target.log" >&2
        found+=("$target")
    fi
done
((seconds < 300)) || python3 results.py
((${#found[@]} == 0)) || { echo "fuzz: findings in ${found[*]}" >&2; exit 1; }
