#!/usr/bin/env bash
# The main job once, end to end. Against the emulator, or with JUNFEIAI_API_KEY against the service itself.
set -euo pipefail
cd "$(dirname "$0")/.."
out=target/demo/ball.mp4

if [[ -n ${JUNFEIAI_API_KEY:-} ]]; then
    cargo build -q -p junfeiai --example demo
    echo "JUNFEIAI_API_KEY is set: this creates one 4 s video at the service and COSTS MONEY."
    echo "It starts in 5 s; press Ctrl-C to stop."
    sleep 5
    exec cargo run -q -p junfeiai --example demo -- "$out"
fi

cargo build -q -p junfeiai-emulator -p junfeiai --bin junfeiai-emulator --example demo
exec 3< <(exec target/debug/junfeiai-emulator --port 0 --api-key sk-demo --time-scale 30 --quiet)
emulator=$!
trap 'kill "$emulator" 2>/dev/null || true' EXIT
read -r _ _ origin <&3
echo "No JUNFEIAI_API_KEY is set: this runs against the emulator at $origin and costs nothing."
JUNFEIAI_API_KEY=sk-demo JUNFEIAI_BASE_URL=$origin/v1 JUNFEIAI_DEMO_EMULATOR=1 \
    cargo run -q -p junfeiai --example demo -- "$out"
