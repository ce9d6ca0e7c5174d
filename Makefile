# The commands of this repository. Each sets up what it needs first (tests/setup.sh).

.PHONY: demo test setup clean

demo: setup ## create a video, wait for it, save it: against the emulator, or the service when JUNFEIAI_API_KEY is set
	@tests/demo.sh

test: setup ## every test of every language; ends with a line per suite
	@python3 tests/run.py $(SUITES)

setup:
	@tests/setup.sh

clean:
	cargo clean
