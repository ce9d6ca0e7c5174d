#!/usr/bin/env bash
# Makes a machine ready for make demo; with the word `test`, `npm`, `bench`, `docs`, `dist` or `platforms` for that as well. Idempotent;
# quick when all is there. What is interrupted half-way does not count as installed.
# Debian's packages are installed when this runs as root; elsewhere it says what to install.
set -euo pipefail

fail() { echo "setup: $*" >&2; exit 1; }
usage="usage: tests/setup.sh [test | npm | bench | docs | dist | platforms]"
case "$#${1:+ $1}" in
    0 | "1 test" | "1 npm" | "1 bench" | "1 docs" | "1 dist" | "1 platforms") ;;
    "1 --help" | "1 -h") echo "$usage: installs what make demo needs, or what that word names needs as well"; exit ;;
    *) echo "setup: there is no \"$*\"; $usage" >&2; exit 2 ;;
esac
have() { command -v "$1" >/dev/null 2>&1; }
# Without these the suites cannot run.
need=()
# Each line of these packages belongs together; without them something is left out, which is said where it would have run.
want=()
# CPython for Windows, of Maven Central; tests/platforms/windows.py knows its name.
windows_python=$(cd "$(dirname "$0")/.." && pwd)/target/tools/cpython-3.12.1-1.5.10-windows-x86_64.jar

have cc || need+=(gcc libc6-dev)
have python3 || need+=(python3)
# Debian splits what makes a virtual environment off.
have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null || need+=(python3-venv)
if [[ ${1:-} == bench ]]; then
    for tool in nginx aria2c curl openssl; do
        have "$tool" || [[ -x /usr/sbin/$tool ]] || need+=("${tool/%aria2c/aria2}")
    done
    [[ -x /usr/bin/time ]] || need+=(time)
    # Where these are missing, the tables say what was not measured.
    have pkg-config && pkg-config --exists libcurl 2>/dev/null || want+=("pkg-config libcurl4-openssl-dev")
    have node && have npm || want+=("nodejs npm")
fi
if [[ ${1:-} == test ]]; then
    have g++ || need+=(g++)
    have cmake || need+=(cmake)
    have pkg-config || need+=(pkg-config)
    # Where these are missing, the C suite says which of its tests were not run.
    if ! have clang || ! clang -fsanitize=address -x c - -o /dev/null <<<'int main(void) { return 0; }' 2>/dev/null; then
        want+=("clang libclang-rt-dev")
    fi
    have valgrind || want+=(valgrind)
    have doxygen || want+=(doxygen)
    # Where these are missing, the conformance matrix says that C or C++ was not run.
    [[ -e /usr/include/cjson/cJSON.h ]] || want+=(libcjson-dev)
    [[ -e /usr/include/nlohmann/json.hpp ]] || want+=(nlohmann-json3-dev)
    have pkg-config && pkg-config --exists libavformat libavcodec libavutil 2>/dev/null ||
        want+=("libavformat-dev libavcodec-dev libavutil-dev")
    # Where these are missing, the suite of stores says what was not run.
    compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || have postgres || want+=(postgresql)
    have redis-server || have valkey-server || want+=(redis-server)
    # Where these are missing, the suite of the demo says what was not run. Without the fonts its pictures have no Chinese.
    have firefox-esr || have firefox || want+=(firefox-esr)
    compgen -G "/usr/share/fonts/*/*/NotoSansCJK*" >/dev/null || want+=(fonts-noto-cjk)
    # WebKit is tried by make test-all. GStreamer's parts decode H.264 for it.
    if [[ ${JUNFEIAI_ALL:-} ]] && ! { have WebKitWebDriver && have Xvfb && compgen -G "/usr/lib/*/gstreamer-1.0/libgstlibav.so" >/dev/null &&
        compgen -G "/usr/lib/*/gstreamer-1.0/libgstvideoparsersbad.so" >/dev/null; }; then
        want+=("webkit2gtk-driver xvfb gstreamer1.0-libav gstreamer1.0-plugins-bad")
    fi
fi
if [[ ${1:-} == docs ]]; then
    have doxygen || need+=(doxygen)
    have node || need+=(nodejs)
    have npm || need+=(npm)
    # Where it is missing, the suite says that nobody looked at the pages.
    have chromium || want+=(chromium)
fi
platforms=
[[ ${1:-} == platforms || ( ${1:-} == test && ${JUNFEIAI_ALL:-} ) ]] && platforms=yes
if [[ $platforms ]]; then
    # Where these are missing, the suites windows and targets fail and name them. gcc-multilib is not for 32 bits here: it conflicts
    # with the compilers of other processors.
    have x86_64-w64-mingw32-g++-posix || want+=("gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64-posix")
    [[ -x /usr/lib/wine/wine64 ]] || want+=("wine wine64")
    [[ -d /usr/lib/rustlib/src/rust/library && -x /usr/bin/cargo ]] || want+=("rustc-web cargo-web rust-web-src")
    have i686-linux-gnu-gcc && [[ -d /usr/i686-linux-gnu/lib ]] || want+=("gcc-i686-linux-gnu libc6-dev-i386-cross")
    have aarch64-linux-gnu-gcc && [[ -d /usr/aarch64-linux-gnu/lib ]] || want+=("gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
    have qemu-aarch64 || want+=(qemu-user)
    [[ -e $windows_python ]] || have mvn || want+=(maven)
fi
rustup_hint=
if [[ ${1:-} == dist ]]; then
    have git || need+=(git)
    have g++ || need+=(g++)
    have pkg-config || need+=(pkg-config)
    have x86_64-w64-mingw32-gcc || need+=(gcc-mingw-w64-x86-64)
    # For each platform the library of rustup, or else Debian's compiler with the library's source.
    targets="x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-pc-windows-gnu"
    for target in $targets; do
        if ! { have rustup && rustup target list --installed 2>/dev/null | grep -qx "$target"; }; then
            [[ -d /usr/lib/rustlib/src/rust/library && -x /usr/bin/rustc && -x /usr/bin/cargo ]] || need+=(rustc-web cargo-web rust-web-src)
            ! have rustup || rustup_hint=" (in place of rustc-web, cargo-web and rust-web-src: rustup target add $targets)"
            break
        fi
    done
    # Where these are missing, the list of the release says what was not tried.
    have cmake || want+=(cmake)
    have x86_64-w64-mingw32-g++-posix || want+=(g++-mingw-w64-x86-64-posix)
    have qemu-aarch64 || want+=(qemu-user)
    have aarch64-linux-gnu-gcc || want+=("gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
    have aarch64-linux-gnu-g++ || want+=(g++-aarch64-linux-gnu)
    [[ -x /usr/lib/wine/wine64 ]] || want+=("wine wine64")
fi
if [[ ${1:-} == test || ${1:-} == npm || ${1:-} == dist ]]; then
    have node || need+=(nodejs)
    have npm || need+=(npm)
    # The library for wasm32: rustup's where it is, else Debian's compiler with the library's source.
    if ! { have rustup && rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown; }; then
        if ! [[ -d /usr/lib/rustlib/src/rust/library && -x /usr/bin/rustc ]] || ! have wasm-ld-19; then
            need+=(rustc-web cargo-web rust-web-src lld-19)
            ! have rustup || rustup_hint=" (in place of rustc-web, cargo-web, rust-web-src and lld-19: rustup target add wasm32-unknown-unknown)"
        fi
        # Where it is missing, nobody looks at what is compiled for wasm32 alone.
        [[ $1 != test || -x /usr/bin/clippy-driver ]] || want+=(rust-web-clippy)
    fi
    if [[ $1 == test ]]; then have chromium || need+=(chromium); fi
fi

have cargo || fail "cargo is missing; install Rust 1.89 or newer (rustup, or your system's package)"
rust=$(cargo --version | sed -E 's/^cargo ([0-9]+)\.([0-9]+).*/\1 \2/')
read -r major minor <<<"$rust"
if ((major < 1 || (major == 1 && minor < 89))); then
    fail "Rust 1.89 or newer is needed, this is $major.$minor; run: rustup update stable"
fi

# The tests start servers of their own: those of these packages need not run, unless they did before.
quiet_services() {
    [[ ! -e /usr/sbin/policy-rc.d ]] || return 0
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}
install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }
root=
[[ $(id -u) == 0 ]] && have apt-get && root=yes
if ((${#need[@]})); then
    have apt-get || fail "these are missing, by the names of Debian's packages; install them as your system does: ${need[*]}$rustup_hint"
    [[ $root ]] || fail "these are missing; run: sudo apt-get install -y --no-install-recommends ${need[*]}$rustup_hint"
    apt-get update -qq
    install "${need[@]}"
fi
if ((${#want[@]})); then
    if [[ $root ]]; then
        ((${#need[@]})) || apt-get update -qq || true
        quiet_services
        # One after the other: a name that this release does not know costs only what belongs to it.
        for packages in "${want[@]}"; do
            # shellcheck disable=SC2086
            install $packages || echo "setup: not installed, what needs it is left out: $packages" >&2
        done
    else
        echo "setup: optional, what needs them is left out: ${want[*]}" >&2
    fi
fi

# The package runs with 3.10; the suites and the pages need more.
oldest=10
[[ ${1:-} == test || ${1:-} == docs ]] && oldest=11
python3 -c "import sys; sys.exit(sys.version_info < (3, $oldest))" ||
    fail "Python 3.$oldest or newer is needed, this is $(python3 --version); put a newer python3 first in PATH"
if [[ ${1:-} == test || ${1:-} == npm || ${1:-} == docs || ${1:-} == dist ]]; then
    node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 11) ? 0 : 1)' ||
        fail "Node 20.11 or newer is needed, this is $(node --version); put a newer one first in PATH (nodejs.org)"
fi

# Environments of Python, made anew when the list of what is in them changes or their Python is gone.
top=$(cd "$(dirname "$0")/.." && pwd)
environment() { # FOLDER LIST
    if ! cmp -s "$2" "$1/installed.txt" || ! "$1/bin/python" -c '' 2>/dev/null; then
        rm -f "$1/installed.txt"
        python3 -m venv --clear "$1"
        "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"
        cp "$2" "$1/installed.tmp"
        mv "$1/installed.tmp" "$1/installed.txt"
    fi
}
[[ ${1:-} == dist ]] || environment "$top/target/venv" "$top/bindings-python/requirements-dev.txt"
# Airflow, and what reads videos, are too large for every machine: make test-all tries their examples on them.
if [[ ${1:-} == test && ${JUNFEIAI_ALL:-} ]]; then
    environment "$top/target/venv-airflow" "$top/bindings-python/requirements-airflow.txt"
    environment "$top/target/venv-bundles" "$top/bindings-python/requirements-bundles.txt"
    environment "$top/target/venv-hosts" "$top/bindings-python/requirements-hosts.txt"
    environment "$top/target/venv-conan" "$top/bindings-c/packaging/conan/requirements.txt"
fi
if [[ ( $platforms || ${1:-} == dist ) && ! -e $windows_python ]] && have mvn; then
    mvn -q -B dependency:copy -Dartifact=org.bytedeco:cpython:3.12.1-1.5.10:jar:windows-x86_64 -DoutputDirectory="$top/target/tools" ||
        echo "setup: not fetched, the suite windows fails and make dist does not run the wheel for Windows without it: $windows_python" >&2
fi
if [[ ${1:-} == test ]]; then
    environment "$top/target/venv-packages" "$top/tests/packages/requirements.txt"
    # Where Go is missing, the suite of packages says that the workflows were not looked at.
    if ! have actionlint && [[ ! -x $top/target/tools/actionlint ]]; then
        if have go; then
            GOBIN=$top/target/tools go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 ||
                echo "setup: not installed, what needs it is left out: actionlint" >&2
        else
            echo "setup: optional, what needs it is left out: actionlint (install Go, or put it in PATH)" >&2
        fi
    fi
fi

# Tools of JavaScript, of the versions in the lock file of their folder. npm ci begins by removing node_modules, and the mark in it.
node_tools() { # FOLDER
    local mark=$1/node_modules/.junfeiai-lock
    if ! cmp -s "$1/package-lock.json" "$mark"; then
        rm -f "$mark"
        npm --prefix "$1" ci --no-audit --no-fund --ignore-scripts --loglevel=error
        cp "$1/package-lock.json" "$mark.tmp"
        mv "$mark.tmp" "$mark"
    fi
}
if [[ ${1:-} == test || ${1:-} == npm || ${1:-} == dist ]]; then node_tools "$top/bindings-wasm"; fi
if [[ ${1:-} == dist ]]; then
    environment "$top/target/venv-dist" "$top/tests/packages/requirements-dist.txt"
    # It lists the components of what is no wheel.
    cyclonedx=0.5.9
    if [[ $("$top/target/tools/bin/cargo-cyclonedx" cyclonedx --version 2>/dev/null) != "cargo-cyclonedx-cyclonedx $cyclonedx" ]]; then
        cargo install --quiet --locked --force --root "$top/target/tools" --version "$cyclonedx" cargo-cyclonedx
    fi
fi
if [[ ${1:-} == docs ]]; then
    environment "$top/target/venv-docs" "$top/tests/site/requirements.txt"
    node_tools "$top/tests/site"
fi
