# Two commands: `make run` tries pxelator on loopback, `make test` runs everything that CI runs.

CARGO ?= $(shell command -v cargo || echo $$HOME/.cargo/bin/cargo)
RUST  := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
OFFSET := 10000

.PHONY: run test bench cargo deps-run deps

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
