# The commands of this repository. Each sets up what it needs first (tests/setup.sh).

# Without a target nothing is built, and nothing paid for.
.DEFAULT_GOAL := help

.PHONY: help demo test test-all flaky conformance wheel dist npm web options header install-c bench soak fuzz coverage setup bump version licences \
	repository check-wheels semver api deny clean testkit docs

help: ## this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: setup ## create a video, wait for it, save it: against the emulator, or the service when JUNFEIAI_API_KEY is set
	@tests/demo.sh

test: ## every test of every language; ends with a line per suite
	@tests/setup.sh test
	@python3 tests/run.py $(SUITES)

test-all: ## make test with all that is slow in it, then thousands of random faults and kills, and every fuzz target for a minute
	@JUNFEIAI_ALL=1 $(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory soak
	@$(MAKE) --no-print-directory fuzz

flaky: ## the suites ROUNDS=10 times on a machine kept busy; names each test that ever failed (SUITES=…, SEED=… to repeat, STALLS=1: programs stand still now and then)
	@tests/setup.sh test
	@python3 tests/flaky.py --rounds $(or $(ROUNDS),10) $(if $(SEED),--seed $(SEED)) $(if $(STALLS),--stalls) $(SUITES)

conformance: ## every scenario on every binding, as a matrix (BINDING=c,node SCENARIO=create/ for some of it)
	@tests/setup.sh test
	@python3 tests/conformance/run.py $(if $(BINDING),--binding $(BINDING)) $(if $(SCENARIO),--scenario $(SCENARIO))

wheel: setup ## target/wheels/*.whl, for CPython 3.10 and newer
	@target/venv/bin/maturin build --release --locked --quiet -m bindings-python/Cargo.toml --out target/wheels
	@ls -l target/wheels/*.whl

dist: ## what a release consists of, for every platform that can be built for here, tried and listed: target/dist (PARTS="wheel-linux c", PROFILE=dev, TWICE=1)
	@tests/setup.sh dist
	@python3 tests/packages/dist.py $(if $(PROFILE),--profile $(PROFILE)) $(if $(TWICE),--twice) $(PARTS)

bench: ## measures us beside our peers in one run and writes tests/bench/RESULTS.md (PARTS=download for one part)
	@tests/setup.sh bench
	@cargo build --locked -q -p junfeiai-emulator
	@cargo build --locked -q --release -p junfeiai --example save --example waiting --example call
	@cargo run -q --locked -p xtask -- install-c --prefix target/bench-c
	@$(MAKE) --no-print-directory wheel
	@$(MAKE) --no-print-directory npm >target/bench-npm.log 2>&1 || echo "bench: no npm package, see target/bench-npm.log" >&2
	@python3 tests/bench/run.py $(PARTS)

soak: setup ## thousands of random faults and kills while saving (CASES=3000, SEED=… to repeat)
	@JUNFEIAI_CASES=$(or $(CASES),3000) $(if $(SEED),JUNFEIAI_SEED=$(SEED)) \
		cargo test --locked -p junfeiai --test save_chaos -- --nocapture

fuzz: setup ## every fuzz target for SECONDS (60), or TARGETS="call wait" alone; needs a C++ compiler
	@tests/fuzz/run.sh $(or $(SECONDS),60) $(TARGETS)

coverage: ## which lines and functions of core its tests reach, by file; needs LLVM's tools of the compiler's version
	@python3 tests/coverage.py

npm: ## the JavaScript package: target/npm/junfeiai-*.tgz, and how large it is
	@tests/setup.sh npm
	@node bindings-wasm/scripts/build.mjs

testkit: ## the emulator for the tests of other programs: target/testkit/*.whl for pytest, target/testkit/*.tgz for Node
	@tests/setup.sh npm
	@tests/emulator/package.sh

web: npm ## the demo page against the emulator (PORT=8787)
	@cargo build --locked -q -p junfeiai-emulator
	@node bindings-wasm/demo/server.mjs

docs: ## the guides in both languages and the references of all: target/docs/index.html, which needs no server
	@tests/setup.sh docs
	@target/venv-docs/bin/python tests/site/build.py --rustdoc

setup: ## what make demo needs is installed, or named
	@tests/setup.sh

options: ## anew what every language says about options, from core/options.toml, and the header after it
	@cargo run -q -p xtask --no-default-features -- options
	@cargo run -q -p xtask -- header

header: ## bindings-c/include/junfeiai.h anew
	@cargo run -q -p xtask -- header

install-c: ## the C library: make install-c PREFIX=/usr/local [LIBDIR=lib] [DESTDIR=]
	@cargo run -q -p xtask -- install-c --prefix "$(or $(PREFIX),/usr/local)" --libdir "$(or $(LIBDIR),lib)" --destdir "$(DESTDIR)"

bump: ## another version everywhere: make bump VERSION=0.2.0
	@cargo run -q --locked -p xtask --no-default-features -- bump "$(VERSION)" --date "$(shell date -u +%F)"

version: ## whether every place names the same version (TAG=v0.2.0: and the changelog has it)
	@cargo run -q --locked -p xtask --no-default-features -- bump --check $(if $(TAG),--tag "$(TAG)")

licences: ## the licence texts of what is linked into the packages, anew
	@cargo run -q --locked -p xtask --no-default-features -- licences

repository: ## before packages are published: REPOSITORY=https://… REF=v0.2.0 into manifests and guides; not to be committed
	@cargo run -q --locked -p xtask --no-default-features -- repository "$(REPOSITORY)" --ref "$(REF)"

# Where the packages are.
DIST = target/dist

check-wheels: ## what PyPI and every CPython ask of the wheels in DIST (target/dist)
	@twine check --strict "$(DIST)"/*.whl "$(DIST)"/junfeiai-[0-9]*.tar.gz
	@abi3audit --strict "$(DIST)"/junfeiai-*.whl

# Both compare with the newest release before this commit; there is nothing to compare the first one with.
BEFORE = $(shell git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null)

semver: ## whether the version says what has changed in the public API of the core; needs cargo-semver-checks
	@$(if $(BEFORE),cargo semver-checks -p junfeiai --baseline-rev "$(BEFORE)",echo "semver: nothing was released before")

api: ## the public API of the core, or what has changed of it; needs cargo-public-api and a nightly compiler
	@cargo public-api -p junfeiai $(if $(BEFORE),diff "$(BEFORE)..HEAD")

deny: ## licences, advisories and sources of dependencies; needs cargo-deny and the network
	@cargo deny --all-features check

clean: ## removes what was built
	cargo clean
