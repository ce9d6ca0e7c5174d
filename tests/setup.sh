#!/usr/bin/env bash
# Makes a machine ready for make demo and make test; with the word `bench`, for make bench as well. Idempotent; quick
# when all is there.
# Debian's packages are installed when this runs as root; elsewhere it says what to install.
set -euo pipefail

need=()
have() { command -v "$1" >/dev/null 2>&1; }

have cc || need+=(gcc libc6-dev)
have python3 || need+=(python3)
if [[ ${1:-} == bench ]]; then
    for tool in nginx aria2c curl openssl; do
        have "$tool" || [[ -x /usr/sbin/$tool ]] || need+=("${tool/%aria2c/aria2}")
    done
    [[ -x /usr/bin/time ]] || need+=(time)
fi
have cargo || { echo "setup: cargo is missing; install Rust 1.89 or newer (rustup, or your system's package)" >&2; exit 1; }

rust=$(cargo --version | sed -E 's/^cargo ([0-9]+)\.([0-9]+).*/\1 \2/')
read -r major minor <<<"$rust"
if ((major < 1 || (major == 1 && minor < 89))); then
    echo "setup: Rust 1.89 or newer is needed, this is $major.$minor; run: rustup update stable" >&2
    exit 1
fi

if ((${#need[@]})); then
    if [[ $(id -u) == 0 ]] && have apt-get; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y --no-install-recommends "${need[@]}"
    else
        echo "setup: these are missing; run: sudo apt-get install -y --no-install-recommends ${need[*]}" >&2
        exit 1
    fi
fi
