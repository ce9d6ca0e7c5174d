#!/usr/bin/env bash
# The main job once, end to end, by the command of the Python wheel. Against the emulator, or with JUNFEIAI_API_KEY
# against the service itself.
set -euo pipefail
# Before anything costs money.
if (($#)); then
    usage="usage: tests/demo.sh (make demo); it takes no arguments. With JUNFEIAI_API_KEY set it creates one 4 s video, WHICH COSTS MONEY"
    [[ $* == --help || $* == -h ]] && { echo "$usage"; exit; }
    echo "demo: there is no argument $1; $usage" >&2
    exit 2
fi
cd "$(dirname "$0")/.."
out=target/demo/ball.mp4
prompt="A small red ball bouncing once on a clean white tabletop, no text."

# A fresh environment with nothing but the wheel.
rm -rf target/demo/wheel
target/venv/bin/maturin build --quiet -m bindings-python/Cargo.toml --out target/demo/wheel 2>target/demo.log ||
    { cat target/demo.log >&2; exit 1; }
[[ -x target/demo/venv/bin/pip ]] || python3 -m venv target/demo/venv
target/demo/venv/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps target/demo/wheel/*.whl
generate=(target/demo/venv/bin/junfeiai generate "$prompt" --seconds 4 --size 1280x720 -o "$out" --overwrite --sha256)

if [[ -n ${JUNFEIAI_API_KEY:-} ]]; then
    echo "JUNFEIAI_API_KEY is set: this creates one 4 s video at the service and COSTS MONEY."
    echo "It starts in 5 s; press Ctrl-C to stop."
    sleep 5
    exec "${generate[@]}"
fi

cargo build -q -p junfeiai-emulator --bin junfeiai-emulator
exec 3< <(exec "${CARGO_TARGET_DIR:-target}/debug/junfeiai-emulator" --port 0 --api-key sk-demo --time-scale 30 --quiet)
emulator=$!
trap 'kill "$emulator" 2>/dev/null || true' EXIT
read -r _ _ origin <&3
echo "No JUNFEIAI_API_KEY is set: this runs against the emulator at $origin and costs nothing."
# The emulator's time runs faster; any other host is asked as the service wants it.
JUNFEIAI_API_KEY=sk-demo JUNFEIAI_BASE_URL=$origin/v1 "${generate[@]}" --poll-interval 0.15 --no-journal 2>&1
