# `make` prints what there is to make.

.DEFAULT_GOAL := help
.PHONY: help demo test lint static size interop dist image deb rpm install completions man packages

help: ## this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## show the program at work against a test server (needs Rust and a C compiler)
	@echo "building the program and a test server: about a minute"
	@cargo build --package connect-cache --package connect-test-server --quiet
	@tests/demo.sh

test: ## unit, integration and documentation tests (no network, no privileges)
	@echo "building and running the tests: about 3 minutes"
	@# Most tests wait for a task: more of them than there are cores can wait side by side.
	RUST_TEST_THREADS=4 cargo test --workspace --quiet

lint: ## rustfmt, clippy, one-way imports, shellcheck, cargo deny (needs shellcheck, cargo-deny)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo test --quiet --test modules
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --quiet
	shellcheck $$(git ls-files | xargs grep -l -m1 '^#!.*\bbash')
	cargo deny --log-level error check licenses bans sources

static: ## the static binary, man page and completions in dist (needs rustup for musl and rust-src)
	@packaging/static.sh
	@packaging/docs.sh

size: static ## its size and that of the least program of its kind, against the limits
	@packaging/size.sh dist/connect-cache

interop: ## real balancers, proxies, clients (needs Debian, Python, npm)
	@echo "building and running the interop tests: about 4 minutes"
	@tests/interop/run

# What ships around the binary.

dist: ## release tarballs, SBOMs and checksums in dist (ARCHES; needs gcc-aarch64-linux-gnu)
	@packaging/dist.sh

image: ## a container image of dist's binary, from scratch (BUILDER: buildah, podman or docker)
	@packaging/image.sh

deb: ## Debian packages of dist's binaries
	@packaging/deb.sh

rpm: ## rpm packages of dist's binaries
	@packaging/rpm.sh

install: ## install what make static built under PREFIX (/usr/local) and DESTDIR
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' packaging/install.sh

completions man: ## completions for bash, zsh and fish, and the man page, in dist
	@packaging/docs.sh

packages: ## check all of these by using them (Debian; installs what it needs, as root)
	@echo "building and checking what ships: about 7 minutes"
	@packaging/check
