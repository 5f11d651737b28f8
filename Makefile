# Heliostat. `make help` lists what there is.

CARGO ?= cargo
WEB_SOURCES := $(shell find web/src web/public -type f 2>/dev/null) web/index.html web/package.json \
	web/package-lock.json web/vite.config.ts web/tsconfig.json
HAVE_NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
JETKVM_CLIENT := target/judges/bin/jetkvm_client
RUN_TESTS := $(if $(HAVE_NEXTEST),$(CARGO) nextest run --no-fail-fast,$(CARGO) test --no-fail-fast)

.PHONY: help
help: ## Show this help.
	@echo "Heliostat: low-latency screen streaming for Linux"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: packages web ## Build and start Heliostat on the best source; prints one URL.
	$(CARGO) build --release --package heliostat
	./target/release/heliostat $(ARGS)

.PHONY: test
test: test-packages web ## Run every check and test.
	$(CARGO) test --workspace --no-run
	$(MAKE) --jobs=2 rust-test $(JETKVM_CLIENT)
	$(MAKE) --jobs=2 e2e-run checks-beside

# Tests wait much of their time; what only compiles takes what they leave over.
BESIDE := nice -n 19
.PHONY: checks-beside
checks-beside:
	$(BESIDE) $(MAKE) lint
	$(BESIDE) $(MAKE) web-test
	$(BESIDE) $(MAKE) loom-test
	$(BESIDE) $(MAKE) openh264-test

.PHONY: bench
bench: test-packages web ## Measure glass to glass; figures and a plot go to docs/bench.
	$(CARGO) build --release --package heliostat
	./target/release/heliostat bench --output docs/bench $(ARGS)

.PHONY: packages test-packages vm-packages
packages:
	@scripts/install-packages run
test-packages:
	@scripts/install-packages test
vm-packages:
	@scripts/install-packages vm

.PHONY: web
web: web/dist/index.html ## Build the page.

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && npm run --silent build
	@touch $@

.PHONY: lint
lint: web ## Formatting, lints, docs and the shape of the code.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	$(CARGO) clippy --package heliostat --no-default-features --features openh264 --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	$(CARGO) xtask tidy

.PHONY: web-test
web-test: web/node_modules/.package-lock.json ## Types and unit tests of the page.
	cd web && npm run --silent check && npm run --silent test

.PHONY: rust-test
rust-test: web ## Unit and integration tests.
	$(RUN_TESTS) --workspace

.PHONY: loom-test
loom-test: ## Model-check the hand-offs.
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom $(CARGO) test --package media --test loom_slot

.PHONY: test-vm
test-vm: vm-packages ## Test the kernel's input devices in a virtual machine (downloads a kernel).
	scripts/uinput-in-vm $(TESTS)

.PHONY: openh264-test
openh264-test: ## The permissive build and its tests.
	$(RUN_TESTS) --package encode --no-default-features --features openh264

.PHONY: e2e
e2e: web ## Real browsers and clients against the real binary.
	$(CARGO) build --workspace --bin heliostat --bin linkem
	$(MAKE) e2e-run

# With the programs that are built already.
.PHONY: e2e-run
e2e-run: e2e/node_modules/.package-lock.json $(JETKVM_CLIENT)
	cd e2e && npm run --silent test

# A client that others wrote, in a folder of its own: nothing of it is part of this project.
$(JETKVM_CLIENT):
	CARGO_PROFILE_DEV_DEBUG=false $(BESIDE) $(CARGO) install jetkvm_client --version 1.0.0 --locked --debug \
		--root target/judges --target-dir target/judges/build

e2e/node_modules/.package-lock.json: e2e/package.json e2e/package-lock.json
	cd e2e && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: fuzz
fuzz: ## Fuzz every parser of outside bytes (installs cargo-fuzz); MINUTES each.
	scripts/fuzz $(or $(MINUTES),10)

.PHONY: clean
clean: ## Remove everything that was built.
	$(CARGO) clean
	rm -rf web/dist web/node_modules e2e/node_modules
