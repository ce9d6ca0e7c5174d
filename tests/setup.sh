#!/usr/bin/env bash
# Makes a machine ready for make demo; with the word `test`, `npm` or `bench` for that as well. Idempotent; quick when all
# is there.
# Debian's packages are installed when this runs as root; elsewhere it says what to install.
set -euo pipefail

need=()
want=()
have() { command -v "$1" >/dev/null 2>&1; }

have cc || need+=(gcc libc6-dev)
have python3 || need+=(python3)
# Debian packages ensurepip on its own; venv needs it.
python3 -c 'import ensurepip' 2>/dev/null || need+=(python3-venv)
# Debian splits what makes a virtual environment off.
! have python3 || python3 -c 'import ensurepip, venv' 2>/dev/null || need+=(python3-venv)
if [[ ${1:-} == bench ]]; then
    for tool in nginx aria2c curl openssl; do
        have "$tool" || [[ -x /usr/sbin/$tool ]] || need+=("${tool/%aria2c/aria2}")
    done
    [[ -x /usr/bin/time ]] || need+=(time)
    # Where these are missing, the tables say what was not measured.
    have pkg-config && pkg-config --exists libcurl 2>/dev/null || want+=(pkg-config libcurl4-openssl-dev)
    have node && have npm || want+=(nodejs npm)
fi
if [[ ${1:-} == test ]]; then
    have g++ || need+=(g++)
    have cmake || need+=(cmake)
    have pkg-config || need+=(pkg-config)
    have openssl || need+=(openssl)
    # Where these are missing, the C suite says which of its tests were not run.
    have clang || want+=(clang libclang-rt-14-dev)
    have valgrind || want+=(valgrind)
    have doxygen || want+=(doxygen)
    # Where these are missing, the conformance matrix says that C or C++ was not run.
    [[ -e /usr/include/cjson/cJSON.h ]] || want+=(libcjson-dev)
    [[ -e /usr/include/nlohmann/json.hpp ]] || want+=(nlohmann-json3-dev)
    pkg-config --exists libavformat libavcodec libavutil 2>/dev/null || want+=(libavformat-dev libavcodec-dev libavutil-dev)
fi
if [[ ${1:-} == test || ${1:-} == npm ]]; then
    have node || need+=(nodejs)
    have npm || need+=(npm)
    # The library for wasm32: rustup's where it is, else Debian's compiler with the library's source.
    if ! { have rustup && rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown; }; then
        [[ -d /usr/lib/rustlib/src/rust/library && -x /usr/bin/rustc ]] && have wasm-ld-19 || need+=(rustc-web cargo-web rust-web-src lld-19)
    fi
    if [[ $1 == test ]]; then have chromium || need+=(chromium); fi
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

if ((${#want[@]})); then
    if [[ $(id -u) == 0 ]] && have apt-get; then
        apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${want[@]}" ||
            echo "setup: not installed, what needs them is left out: ${want[*]}" >&2
    else
        echo "setup: optional, what needs them is left out: ${want[*]}" >&2
    fi
fi

# Python's tools in an environment of their own, made anew when the list of them changes.
root=$(dirname "$0")/..
pins=$root/bindings-python/requirements-dev.txt
venv=$root/target/venv
if ! cmp -s "$pins" "$venv/installed.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$pins"
    cp "$pins" "$venv/installed.txt"
fi

if [[ ${1:-} == test || ${1:-} == npm ]]; then
    # Tools of the JavaScript package, of the versions in its lock file.
    folder=$(dirname "$0")/../bindings-wasm
    if ! cmp -s "$folder/package-lock.json" "$folder/node_modules/.junfeiai-lock"; then
        npm --prefix "$folder" ci --no-audit --no-fund --ignore-scripts --loglevel=error
        cp "$folder/package-lock.json" "$folder/node_modules/.junfeiai-lock"
    fi
fi
