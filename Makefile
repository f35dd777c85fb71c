# `make` lists the targets.

.DEFAULT_GOAL := help
PICTURE := $(or $(CARGO_TARGET_DIR),target)/tools/picture

.PHONY: help demo picture test simulate soak lint static size bench mutants fuzz interop dist image deb rpm install completions man packages

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## show the program against a test server (needs Rust and a C compiler)
	@echo "building the program and a test server: about a minute"
	@cargo build --package connect-cache --package connect-test-server --quiet
	@tests/demo.sh

picture: ## record docs/terminal.svg, the picture in the README (needs Python and PyPI)
	@cargo build --package connect-cache --package connect-test-server --quiet
	@$(PICTURE)/bin/python -c 'import pyte, rich' 2>/dev/null || \
		{ python3 -m venv $(PICTURE) && $(PICTURE)/bin/pip install --quiet pyte==0.8.2 rich==15.0.0; }
	@$(PICTURE)/bin/python packaging/picture docs/terminal.svg

test: ## run unit, integration and documentation tests (no network, no privileges)
	@echo "building and running the tests: about 3 minutes"
	@# Most tests wait for a task, so more of them than there are cores can run at the same time.
	RUST_TEST_THREADS=16 cargo test --workspace --quiet

simulate: ## run all pairs of incidents in all worlds of a model of the server (20 minutes)
	cargo test --profile simulate --quiet --lib simulation -- --include-ignored --nocapture

soak: ## compare claims with servers that fail at random (SECONDS, SEED, RUN: one run of a seed)
	@SOAK_SECONDS='$(SECONDS)' SOAK_SEED='$(SEED)' SOAK_RUN='$(RUN)' \
		cargo test --quiet --test soak -- --ignored --nocapture

.PHONY: live
live: ## find out on a real server what no source says (CONNECT_SERVER, a key, LIVE_CACHE: a cache to delete)
	@cargo run --quiet --example live

lint: ## check format, scripts, words, clippy, imports, rustdoc, licenses (C++, shellcheck, codespell, crates.io)
	cargo fmt --all --check
	cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
	shellcheck --external-sources $$(git ls-files | xargs grep -l -m1 '^#!.*\bbash')
	tests/words.sh
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo clippy --manifest-path tests/fuzz/Cargo.toml --target-dir $(or $(CARGO_TARGET_DIR),target)/fuzz/build --quiet -- -D warnings
	cargo test --quiet --test modules
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --quiet
	bash -c '. packaging/common.sh && tool cargo-deny && cargo deny --log-level error check licenses bans sources'

static: ## build the static binary, man page and completions in dist (needs rustup for musl and rust-src)
	@packaging/static.sh
	@packaging/docs.sh

size: static ## check its size against the limit, and compare it with the floor
	@packaging/size.sh dist/connect-cache

bench: ## compare with other clients in docs/bench.md (14 minutes, QUICK=1: 4; needs Debian, PyPI)
	@packaging/bench/run $(if $(QUICK),quick)

mutants: ## change src/ in small ways and count the changes that no test notices (hours; PART, SINCE)
	@PART='$(PART)' SINCE='$(SINCE)' tests/mutants.sh

fuzz: ## check the program with generated inputs (SECONDS for each TARGET, 600; needs crates.io and C++)
	@FUZZ_SECONDS='$(SECONDS)' FUZZ_TARGET='$(TARGET)' tests/fuzz.sh

interop: ## test with real balancers, proxies and clients (needs Debian, Python, npm)
	@echo "building and running the interop tests: about 4 minutes"
	@tests/interop/run

# Everything that ships with the binary.

dist: ## build release tarballs, SBOMs and checksums in dist (ARCHES; needs Debian's C compilers for arm64 and armhf)
	@packaging/dist.sh

image: ## build a container image of dist's binary, from scratch (BUILDER: buildah, podman or docker)
	@packaging/image.sh

deb: ## build Debian packages of dist's binaries
	@packaging/deb.sh

rpm: ## build rpm packages of dist's binaries
	@packaging/rpm.sh

install: ## install what make static built under PREFIX (/usr/local) and DESTDIR
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' packaging/install.sh

completions man: ## generate completions for bash, zsh and fish, and the man page, in dist
	@packaging/docs.sh

packages: ## check these by using them (Debian; installs what it needs, as root)
	@echo "building and checking what ships: about 7 minutes"
	@packaging/check
