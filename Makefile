# `make run` tries pxelator on loopback, `make install` puts it on this machine, `make test` runs everything that CI runs.

CARGO ?= $(shell command -v cargo || echo $$HOME/.cargo/bin/cargo)
RUST  := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
OFFSET := 10000
# How long the tests may take, in minutes: one that hangs is ended, and the last lines name it.
TEST_MINUTES := 45
# How long each fuzz target runs, in seconds.
SECS := 1200

# Where `make install` puts it; packages add DESTDIR.
PREFIX := /usr/local
DESTDIR :=
# Where units, users and folders stand, so that systemd finds them: it looks below these two prefixes, and in /etc.
LIB := $(if $(filter /usr /usr/local,$(PREFIX)),$(PREFIX)/lib,/etc)
PROGRAM := $(or $(CARGO_TARGET_DIR),target)/release/pxelator
UNITS := $(notdir $(wildcard systemd/*.service systemd/*.timer))

.PHONY: run install install-files install-words install-units uninstall test bench fuzz fuzzer cargo deps-run deps

run: deps-run cargo
	$(CARGO) build --release --locked
	target/release/pxelator build
	@tests/tools/try $(OFFSET)

# You build it, and sudo copies it where you may not write.
install: deps-run cargo
	$(CARGO) build --release --locked
	@mkdir -p $(DESTDIR)$(PREFIX) $(DESTDIR)$(LIB) 2>/dev/null && [ -w $(DESTDIR)$(PREFIX) ] && [ -w $(DESTDIR)$(LIB) ] || sudo=sudo; \
	$$sudo $(MAKE) --no-print-directory install-files PREFIX=$(PREFIX) LIB=$(LIB) DESTDIR=$(DESTDIR) PROGRAM=$(PROGRAM)
	@[ -n "$(DESTDIR)" ] || echo "installed. docs/nix.md tells how it is started"

install-files: install-units install-words
	install -Dm755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/pxelator

# Man pages, and completions of shells: the program writes them.
install-words: share = $(DESTDIR)$(PREFIX)/share
install-words:
	$(PROGRAM) man --out $(share)/man/man1
	@mkdir -p $(share)/bash-completion/completions $(share)/zsh/site-functions $(share)/fish/vendor_completions.d
	$(PROGRAM) completion bash > $(share)/bash-completion/completions/pxelator
	$(PROGRAM) completion zsh > $(share)/zsh/site-functions/_pxelator
	$(PROGRAM) completion fish > $(share)/fish/vendor_completions.d/pxelator.fish

# The texts of systemd/, with the program where the prefix says. The Nix package calls this and `install-words` too.
install-units:
	@mkdir -p $(DESTDIR)$(LIB)/systemd/system
	@for unit in $(UNITS); do \
	  sed 's|/usr/local/bin/|$(PREFIX)/bin/|' systemd/$$unit > $(DESTDIR)$(LIB)/systemd/system/$$unit && \
	  chmod 644 $(DESTDIR)$(LIB)/systemd/system/$$unit || exit 1; \
	done
	install -Dm644 systemd/pxelator.sysusers $(DESTDIR)$(LIB)/sysusers.d/pxelator.conf
	install -Dm644 systemd/pxelator.tmpfiles $(DESTDIR)$(LIB)/tmpfiles.d/pxelator.conf

# What `install` wrote. The store, the state folder and the user stay.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/pxelator $(DESTDIR)$(PREFIX)/share/man/man1/pxelator.1 $(DESTDIR)$(PREFIX)/share/man/man1/pxelator-*.1
	rm -f $(addprefix $(DESTDIR)$(LIB)/systemd/system/,$(UNITS)) $(addprefix $(DESTDIR)$(LIB)/,sysusers.d/pxelator.conf tmpfiles.d/pxelator.conf)
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/pxelator $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_pxelator \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/pxelator.fish

test: deps cargo
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --lib -- -D warnings
	$(CARGO) test --locked --no-run
	timeout --kill-after=1m $(TEST_MINUTES)m $(CARGO) test --locked

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
