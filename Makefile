# The commands of this repository. Each sets up what it needs first (tests/setup.sh).

.PHONY: demo test soak setup clean

demo: setup ## create a video, wait for it, save it: against the emulator, or the service when JUNFEIAI_API_KEY is set
	@tests/demo.sh

test: setup ## every test of every language; ends with a line per suite
	@python3 tests/run.py $(SUITES)

soak: setup ## thousands of random faults and kills while saving (CASES=3000, SEED=… to repeat)
	@JUNFEIAI_CASES=$(or $(CASES),3000) $(if $(SEED),JUNFEIAI_SEED=$(SEED)) \
		cargo test --locked -p junfeiai --test save_chaos -- --nocapture

setup:
	@tests/setup.sh

clean:
	cargo clean
