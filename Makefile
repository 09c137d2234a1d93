# Two commands: `make run` tries pxelator on loopback, `make test` runs everything that CI runs.

CARGO ?= $(shell command -v cargo || echo $$HOME/.cargo/bin/cargo)
RUST  := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
OFFSET := 10000
# How long each fuzz target runs, in seconds.
SECS := 1200

.PHONY: run test bench fuzz fuzzer cargo deps-run deps

run: deps-run cargo
	$(CARGO) build --release --locked
	target/release/pxelator build
	@tests/tools/try $(OFFSET)

test: deps cargo
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --lib -- -D warnings
	$(CARGO) test --locked

# Figures beside those of other programs; not a test.
bench: deps cargo
	$(CARGO) build --release --locked
	tests/tools/bench
	tests/tools/bench-boot
	tests/tools/bench-audit

# Both fuzz targets, from the files of tests/corpus. What they find is left in fuzz/artifacts: make it small with `cargo fuzz tmin`,
# put it into tests/corpus, and mend it.
fuzz: fuzzer
	@for target in parse compile; do \
	  mkdir -p fuzz/corpus/$$target; \
	  $(CARGO) +nightly fuzz run $$target fuzz/corpus/$$target tests/corpus -- \
	    -dict=fuzz/kdl.dict -max_total_time=$(SECS) -max_len=4096 -timeout=5 -rss_limit_mb=1024 || exit 1; \
	done

fuzzer: cargo
	@$(CARGO) +nightly --version >/dev/null 2>&1 && $(CARGO) fuzz --version >/dev/null 2>&1 || { \
	  echo "fuzzing needs a nightly Rust and cargo-fuzz. This mends it:"; \
	  echo "  rustup toolchain install nightly --profile minimal && cargo install --locked cargo-fuzz"; \
	  exit 1; \
	}

deps-run:
	@tests/tools/packages run

deps:
	@tests/tools/packages test

cargo:
	@have=$$($(CARGO) --version 2>/dev/null | sed 's/cargo \([0-9.]*\).*/\1/'); \
	if [ -z "$$have" ] || [ "$$(printf '%s\n' $(RUST) $$have | sort -V | head -1)" != $(RUST) ]; then \
	  echo "pxelator needs Rust $(RUST) or newer, found: $${have:-none}. This mends it:"; \
	  echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . ~/.cargo/env"; \
	  exit 1; \
	fi
