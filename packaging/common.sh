#!/usr/bin/env bash
# Sets the variables that the scripts in this directory share: the version and the time of the files that they make.
# Installs tools from crates.io. Source it from the root of the repository.
version=$(cargo pkgid --package connect-cache)
# shellcheck disable=SC2034 # used by the scripts that source this
version=${version##*[@#]}
# An archive of the repository has no .git, but its files have the time of the commit.
if [ -z "${SOURCE_DATE_EPOCH:-}" ] && [ -e .git ]; then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(stat -c %Y Cargo.toml)}
export SOURCE_DATE_EPOCH

tools=$(realpath -m "${CARGO_TARGET_DIR:-target}")/tools
export PATH=$tools/bin:$PATH
declare -A tool_versions=([cargo-auditable]=0.7.7 [cargo-cyclonedx]=0.5.9 [cargo-deb]=3.8.0
    [cargo-deny]=0.20.2 [cargo-fuzz]=0.13.2 [cargo-generate-rpm]=0.21.1 [cargo-mutants]=27.1.0)

# tool NAME...: builds the tools that are missing, in target/tools, without optimization, which would take longer than
# they run.
tool() {
    local name
    for name; do
        grep -qs "^\"$name ${tool_versions[$name]} " "$tools/.crates.toml" && continue
        echo "building $name ${tool_versions[$name]} into $tools: about a minute"
        CARGO_TARGET_DIR=$tools/build CARGO_PROFILE_DEV_DEBUG=0 \
            cargo install --quiet --locked --debug --root "$tools" "$name@${tool_versions[$name]}"
    done
}
