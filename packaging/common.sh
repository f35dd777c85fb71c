#!/usr/bin/env bash
# What the scripts beside it share: the version, the time that made things carry, tools from crates.io.
# Sourced from the repository's folder.
version=$(cargo pkgid --package connect-cache)
# shellcheck disable=SC2034 # for those who source this
version=${version##*[@#]}
# Where there is no git, the variable has to be set.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

tools=$(realpath -m "${CARGO_TARGET_DIR:-target}")/tools
export PATH=$tools/bin:$PATH
declare -A tool_versions=([cargo-auditable]=0.7.7 [cargo-cyclonedx]=0.5.9 [cargo-deb]=3.8.0)

# tool NAME...: builds each that is missing, into target/tools.
tool() {
    local name
    for name; do
        grep -qs "^\"$name ${tool_versions[$name]} " "$tools/.crates.toml" && continue
        echo "building $name ${tool_versions[$name]} into $tools"
        CARGO_TARGET_DIR=$tools/build cargo install --quiet --locked --root "$tools" "$name@${tool_versions[$name]}"
    done
}
