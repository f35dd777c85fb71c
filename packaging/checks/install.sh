#!/usr/bin/env bash
# Checks what is installed on a host: by make install, the Debian package, the rpm package and the crate.
# shellcheck disable=SC2154 # packaging/check sets the shared variables

check_install() {
    local root=$scratch/install/root copy=$scratch/install/archive program
    # Install from an archive of the sources, without .git, on a host on which root has no cargo. The files are those
    # that `make static` would build there.
    mkdir -p "$copy" "$scratch/install/bin"
    archive | tar --extract --directory "$copy"
    for program in cargo rustc rustup git; do
        printf '#!/bin/sh\necho "%s was run" >&2\nexit 127\n' $program >"$scratch/install/bin/$program"
    done
    chmod +x "$scratch/install/bin"/*
    expect 2 env PATH="$scratch/install/bin:$PATH" make --silent --directory "$copy" install DESTDIR="$root"
    grep -qx 'install: cannot install: there is no dist/connect-cache; run make static first' <<<"$err"
    [ ! -e "$root" ]
    (cd "$copy" && CARGO_TARGET_DIR=$OLDPWD/target packaging/docs.sh)
    cp "$(binary_of "$(uname -m)")" "$copy/dist/connect-cache"
    PATH="$scratch/install/bin:$PATH" make --silent --directory "$copy" install DESTDIR="$root" PREFIX=/opt/connect
    (cd "$root" && find . -type f | sort) >"$scratch/install/list"
    cat "$scratch/install/list"
    [ -x "$root/opt/connect/bin/connect-cache" ]
    grep -qx 'ExecStart=/opt/connect/bin/connect-cache .*' "$root/opt/connect/share/doc/connect-cache/examples/connect-cache.service"
    diff - "$scratch/install/list" <<'END'
./opt/connect/bin/connect-cache
./opt/connect/share/bash-completion/completions/connect-cache
./opt/connect/share/doc/connect-cache/CHANGELOG.md
./opt/connect/share/doc/connect-cache/LICENSE-APACHE
./opt/connect/share/doc/connect-cache/LICENSE-MIT
./opt/connect/share/doc/connect-cache/README.md
./opt/connect/share/doc/connect-cache/examples/Containerfile
./opt/connect/share/doc/connect-cache/examples/ansible.yml
./opt/connect/share/doc/connect-cache/examples/connect-cache-failure.service
./opt/connect/share/doc/connect-cache/examples/connect-cache.cron
./opt/connect/share/doc/connect-cache/examples/connect-cache.service
./opt/connect/share/doc/connect-cache/examples/connect-cache.timer
./opt/connect/share/doc/connect-cache/examples/cronjob.yaml
./opt/connect/share/doc/connect-cache/examples/github-actions.yml
./opt/connect/share/fish/vendor_completions.d/connect-cache.fish
./opt/connect/share/man/man1/connect-cache.1
./opt/connect/share/zsh/site-functions/_connect-cache
END
    [[ $("$root/opt/connect/bin/connect-cache" --version) = "connect-cache $version"* ]]
    MANPATH=$root/opt/connect/share/man man --where connect-cache
    echo "make install puts $(wc -l <"$scratch/install/list") files under DESTDIR and PREFIX"
}

# Installs the package into a root directory of its own, with its own database of packages.
check_deb() {
    packaging/deb.sh
    local root=$scratch/deb/root package before
    package=$(echo "$PWD"/dist/*_"$(dpkg --print-architecture)".deb)
    dpkg-deb --info "$package"
    dpkg-deb --contents "$package"
    # The package depends on nothing, runs nothing at install time, and all its files belong to root.
    ! dpkg-deb --field "$package" Depends | grep . || return 1
    ! dpkg-deb --ctrl-tarfile "$package" | tar --list | grep -E '(pre|post)(inst|rm)|triggers' || return 1
    dpkg-deb --contents "$package" | awk '$2 != "root/root" && $2 != "0/0" { print; bad = 1 } END { exit bad }'
    dpkg-deb --contents "$package" | awk '/^-/ { print $1, $6 }' | sort -k 2 >"$scratch/deb/list"
    diff - "$scratch/deb/list" <<'END'
-rwxr-xr-x ./usr/bin/connect-cache
-rw-r--r-- ./usr/share/bash-completion/completions/connect-cache
-rw-r--r-- ./usr/share/doc/connect-cache/CHANGELOG.md
-rw-r--r-- ./usr/share/doc/connect-cache/LICENSES-THIRD-PARTY
-rw-r--r-- ./usr/share/doc/connect-cache/README.md
-rw-r--r-- ./usr/share/doc/connect-cache/copyright
-rw-r--r-- ./usr/share/doc/connect-cache/examples/Containerfile
-rw-r--r-- ./usr/share/doc/connect-cache/examples/ansible.yml
-rw-r--r-- ./usr/share/doc/connect-cache/examples/connect-cache-failure.service
-rw-r--r-- ./usr/share/doc/connect-cache/examples/connect-cache.cron
-rw-r--r-- ./usr/share/doc/connect-cache/examples/connect-cache.service
-rw-r--r-- ./usr/share/doc/connect-cache/examples/connect-cache.timer
-rw-r--r-- ./usr/share/doc/connect-cache/examples/cronjob.yaml
-rw-r--r-- ./usr/share/doc/connect-cache/examples/github-actions.yml
-rw-r--r-- ./usr/share/fish/vendor_completions.d/connect-cache.fish
-rw-r--r-- ./usr/share/man/man1/connect-cache.1.gz
-rw-r--r-- ./usr/share/zsh/vendor-completions/_connect-cache
END

    # lintian takes a position-independent static binary for a library. The only changelog is upstream's, in Markdown.
    lintian --allow-root --fail-on error,warning --suppress-tags \
        shared-library-lacks-prerequisites,empty-field,no-changelog,wrong-name-for-upstream-changelog "$package"

    mkdir -p "$root"/var/lib/dpkg/{info,updates}
    : >"$root/var/lib/dpkg/status"
    before=$(cd "$root" && find . -not -path './var/*' | sort)
    dpkg --root="$root" --install "$package"
    [[ $(chroot "$root" /usr/bin/connect-cache --version) = "connect-cache $version"* ]]
    cmp "$root/usr/bin/connect-cache" "$(binary_of "$(uname -m)")"
    cmp "$root/usr/share/doc/connect-cache/copyright" packaging/copyright
    MANPATH=$root/usr/share/man man --where connect-cache
    dpkg --root="$root" --purge connect-cache
    [ "$(cd "$root" && find . -not -path './var/*' | sort)" = "$before" ]
    echo "installs without dependencies, runs, and leaves nothing ($(stat -c %s "$package") bytes, $(dpkg-deb --field "$package" Installed-Size) KiB installed)"
}

# Installs the package by rpm, with a database of its own.
check_rpm() {
    packaging/rpm.sh
    local root=$scratch/rpm/root package
    package=$(echo "$PWD"/dist/*."$(uname -m)".rpm)
    rpm --query --info --package "$package"
    # The package depends only on rpm itself, runs nothing at install time, and all its files belong to root.
    rpm --query --requires --package "$package"
    ! rpm --query --requires --package "$package" | grep -v '^rpmlib(' || return 1
    ! rpm --query --scripts --package "$package" | grep . || return 1
    rpm --query --queryformat '[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]' --package "$package" >"$scratch/rpm/list"
    diff - "$scratch/rpm/list" <<'END'
-rwxr-xr-x root /usr/bin/connect-cache
-rw-r--r-- root /usr/share/bash-completion/completions/connect-cache
-rw-r--r-- root /usr/share/doc/connect-cache/CHANGELOG.md
-rw-r--r-- root /usr/share/doc/connect-cache/LICENSE-APACHE
-rw-r--r-- root /usr/share/doc/connect-cache/LICENSE-MIT
-rw-r--r-- root /usr/share/doc/connect-cache/LICENSES-THIRD-PARTY
-rw-r--r-- root /usr/share/doc/connect-cache/README.md
-rw-r--r-- root /usr/share/doc/connect-cache/examples/Containerfile
-rw-r--r-- root /usr/share/doc/connect-cache/examples/ansible.yml
-rw-r--r-- root /usr/share/doc/connect-cache/examples/connect-cache-failure.service
-rw-r--r-- root /usr/share/doc/connect-cache/examples/connect-cache.cron
-rw-r--r-- root /usr/share/doc/connect-cache/examples/connect-cache.service
-rw-r--r-- root /usr/share/doc/connect-cache/examples/connect-cache.timer
-rw-r--r-- root /usr/share/doc/connect-cache/examples/cronjob.yaml
-rw-r--r-- root /usr/share/doc/connect-cache/examples/github-actions.yml
-rw-r--r-- root /usr/share/fish/vendor_completions.d/connect-cache.fish
-rw-r--r-- root /usr/share/man/man1/connect-cache.1.gz
-rw-r--r-- root /usr/share/zsh/site-functions/_connect-cache
END
    mkdir -p "$root"
    rpm --root "$root" --install --ignorearch "$package"
    [[ $(chroot "$root" /usr/bin/connect-cache --version) = "connect-cache $version"* ]]
    cmp "$root/usr/bin/connect-cache" "$(binary_of "$(uname -m)")"
    rpm --root "$root" --erase connect-cache
    # cargo-generate-rpm lists no directories, so empty ones remain.
    ! find "$root/usr" -type f | grep . || return 1
    (cd dist && sha256sum --check --quiet SHA256SUMS)
    grep -q '\.rpm$' dist/SHA256SUMS
    echo "installs without dependencies, runs, and leaves no file ($(stat -c %s "$package") bytes)"
}

# Builds the crate from the files that crates.io would get.
check_crate() {
    local list dirty=()
    # The check may run before a commit, with changed files.
    ! git status --porcelain 2>/dev/null | grep -q . || dirty=(--allow-dirty)
    list=$(cargo package --package connect-cache --list --locked "${dirty[@]}")
    echo "$list"
    ! grep -vE '^(Cargo\.(toml|toml\.orig|lock)|\.cargo_vcs_info\.json|README\.md|CHANGELOG\.md|LICENSE-(MIT|APACHE)|build\.rs|src/[a-z_/]+\.rs)$' <<<"$list" || return 1
    [ "$(grep -c '^src/' <<<"$list")" = "$(find src -type f | wc -l)" ]
    for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do
        grep -qx "$file" <<<"$list"
    done
    cargo package --package connect-cache --locked --quiet "${dirty[@]}"
    echo "the crate holds $(wc -l <<<"$list") files and builds from them"
}
