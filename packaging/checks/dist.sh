#!/usr/bin/env bash
# Checks the tarballs, their SBOMs, and the programs in them.
# shellcheck disable=SC2154 # packaging/check sets the shared variables

name_of() { echo "connect-cache-$version-$1-linux-musl"; }
binary_of() { echo "$PWD/dist/$(name_of "$1")/connect-cache"; }

# Prints the architectures in dist: those in ARCHES that could be built here.
built() {
    local folder
    for folder in dist/connect-cache-"$version"-*-linux-musl; do
        folder=${folder#dist/connect-cache-"$version"-}
        echo "${folder%-linux-musl}"
    done
}

# Tests that every option is documented. They run here too, since the release workflow may run only these checks.
check_documents() {
    cargo test --quiet --locked --package connect-cache-generate
    echo "every option is in help, man page and completions; exit statuses and links are right"
}

check_dist() {
    packaging/dist.sh | tee "$scratch/dist/said"
    (cd dist && sha256sum --check SHA256SUMS)
    local arch name contents
    for arch in $(built); do
        name=$(name_of "$arch")
        grep -q " $name.tar.gz$" dist/SHA256SUMS
        contents=$(tar --list --gzip --file "dist/$name.tar.gz" | sed "s|^$name/||" | sort | tr '\n' ' ')
        echo "$contents"
        [ "$contents" = " CHANGELOG.md LICENSE-APACHE LICENSE-MIT LICENSES-THIRD-PARTY README.md completions/ completions/_connect-cache completions/connect-cache.bash completions/connect-cache.fish connect-cache connect-cache.1 examples/ examples/Containerfile examples/ansible.yml examples/connect-cache-failure.service examples/connect-cache.cron examples/connect-cache.service examples/connect-cache.timer examples/cronjob.yaml examples/github-actions.yml " ]
        # The binary is static, its relocations are read-only, and it contains no path of this machine.
        readelf --wide --all "$(binary_of "$arch")" >"$scratch/elf"
        ! grep -q INTERP "$scratch/elf" || return 1
        grep -q GNU_RELRO "$scratch/elf"
        # It is position independent where Rust supports that for musl: on x86_64 only.
        if [ "$arch" = x86_64 ]; then
            grep -q 'Type: *DYN' "$scratch/elf"
            grep -q BIND_NOW "$scratch/elf"
        fi
        ! grep -aqF -e "$PWD" -e "$HOME" "$(binary_of "$arch")" || return 1
    done
    echo "tarballs for $(built | paste -sd' '): whole, static, hardened $(grep '^dist: skipped' "$scratch/dist/said" || true)"
}

# archive: writes the sources as a tar archive.
archive() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        # The version shows the commit.
        echo "gitdir: $(git rev-parse --absolute-git-dir)" >"$copy/.git"
        git ls-files --cached --others --exclude-standard -z
    else
        find . -path ./target -prune -o -path ./dist -prune -o -type f -print0
    fi | tar --create --null --files-from - --ignore-failed-read
}

# Builds in another directory with another target directory, so that all paths differ.
check_reproducible() {
    local copy=$scratch/reproducible/elsewhere/copy
    mkdir -p "$copy"
    archive | tar --extract --directory "$copy"
    mkdir -p "$copy/target"
    ln -s "$tools" "$copy/target/tools"
    (cd "$copy" && env -u CARGO_TARGET_DIR packaging/dist.sh)
    diff dist/SHA256SUMS "$copy/dist/SHA256SUMS"
    local file
    while read -r _ file; do
        cmp "dist/$file" "$copy/dist/$file"
    done <dist/SHA256SUMS
    echo "the same bytes from another folder: $(wc -l <dist/SHA256SUMS) files"
}

# Compares the SBOM with the list of crates in the binary.
check_sbom() {
    local arch
    for arch in $(built); do
        python3 packaging/checks/sbom.py "dist/$(name_of "$arch").cdx.json" "$(binary_of "$arch")"
    done
}

check_native() {
    main_job "$scratch/native" "$(binary_of "$(uname -m)")"
    echo "list, delete, failing delete, refused certificate over TLS"
}

check_aarch64() {
    if ! built | grep -qx aarch64; then
        echo "skipped: there is no aarch64 binary here"
        return
    fi
    main_job "$scratch/aarch64" qemu-aarch64-static "$(binary_of aarch64)"
    echo "list, delete, failing delete, refused certificate over TLS, under qemu"
}
