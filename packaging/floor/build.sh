#!/usr/bin/env bash
# Builds the floor as packaging/static.sh builds the program: packaging/floor/build.sh OUTPUT
set -euo pipefail
cd "$(dirname "$0")/../.."

# The floor takes its dependencies, features and profile from the program.
folder=${CARGO_TARGET_DIR:-target}/floor
mkdir -p "$folder/src"
cp packaging/floor/main.rs "$folder/src"
cp Cargo.lock "$folder"
{
    printf '[package]\nname = "floor"\nedition = "2024"\n\n[workspace]\n\n'
    awk '/^\[/ { copied = /^\[(dependencies|profile\.release)[].]/ } copied' Cargo.toml
} >"$folder/Cargo.toml"
# Remove the crates that the floor does not need from the lock file, and keep the versions of the others.
cargo metadata --quiet --format-version 1 --manifest-path "$folder/Cargo.toml" >/dev/null
MANIFEST=$folder/Cargo.toml packaging/static.sh "$(uname -m)" "$1"
