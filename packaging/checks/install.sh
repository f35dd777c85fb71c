#!/usr/bin/env bash
# Checks what is installed on a host: by make install, the Debian package, the rpm package and the crate.
# shellcheck disable=SC2154 # packaging/check sets the shared variables

# installed PREFIX [SCRIPT [FILE...]]: prints the files that are installed under PREFIX, after changes by a script of
# sed, and with other files.
installed() {
    { cat; printf '%s\n' "${@:3}"; } <<'END' | sed "/^$/d; ${2:-}; s|^|$1/|" | LC_ALL=C sort
bin/connect-cache
share/bash-completion/completions/connect-cache
share/doc/connect-cache/CHANGELOG.md
share/doc/connect-cache/LICENSE-APACHE
share/doc/connect-cache/LICENSE-MIT
share/doc/connect-cache/README.md
share/doc/connect-cache/examples/Containerfile
share/doc/connect-cache/examples/ansible.yml
share/doc/connect-cache/examples/connect-cache-failure.service
share/doc/connect-cache/examples/connect-cache.cron
share/doc/connect-cache/examples/connect-cache.service
share/doc/connect-cache/examples/connect-cache.timer
share/doc/connect-cache/examples/cronjob.yaml
share/doc/connect-cache/examples/github-actions.yml
share/fish/vendor_completions.d/connect-cache.fish
share/man/man1/connect-cache.1
share/zsh/site-functions/_connect-cache
END
}

# Installs from an archive of the sources, without .git, on a host on which root has no cargo.
check_install() {
    local root=$scratch/install/root copy=$scratch/install/archive
    mkdir -p "$copy"
    archive | tar --extract --directory "$copy"
    # The files are those that `make static` would build there.
    (cd "$copy" && CARGO_TARGET_DIR=$OLDPWD/target packaging/docs.sh)
    cp "$(binary_of "$(uname -m)")" "$copy/dist/connect-cache"
    env -i PATH=/usr/bin:/bin make --silent --directory "$copy" install DESTDIR="$root" PREFIX=/opt/connect
    (cd "$root" && find . -type f | LC_ALL=C sort | diff <(installed ./opt/connect) -)
    grep -qx 'ExecStart=/opt/connect/bin/connect-cache .*' "$root/opt/connect/share/doc/connect-cache/examples/connect-cache.service"
    [[ $("$root/opt/connect/bin/connect-cache" --version) = "connect-cache $version"* ]]
    MANPATH=$root/opt/connect/share/man man --where connect-cache
    echo "make install puts $(installed '' | wc -l) files under DESTDIR and PREFIX"
}

# belongs_to_root: reads lines of mode, owner and file. All files belong to root, and only the program is executable.
belongs_to_root() {
    awk '{ mode = $3 ~ "/bin/connect-cache$" ? "-rwxr-xr-x" : "-rw-r--r--" }
        ($2 != "root" && $2 != "root/root" && $2 != "0/0") || (/^-/ && $1 != mode) { print; bad = 1 }
        END { exit bad }'
}

# Installs the package into a root directory of its own, with its own database of packages.
check_deb() {
    packaging/deb.sh
    local root=$scratch/deb/root package before
    package=$(echo "$PWD"/dist/*_"$(dpkg --print-architecture)".deb)
    dpkg-deb --info "$package"
    # The package depends on nothing, and runs nothing at install time.
    ! dpkg-deb --field "$package" Depends | grep . || return 1
    ! dpkg-deb --ctrl-tarfile "$package" | tar --list | grep -E '(pre|post)(inst|rm)|triggers' || return 1
    dpkg-deb --contents "$package" | awk '{ print $1, $2, $6 }' >"$scratch/deb/list"
    belongs_to_root <"$scratch/deb/list"
    sed -n 's/^-.* //p' "$scratch/deb/list" | LC_ALL=C sort |
        diff <(installed ./usr '/LICENSE-/d; s/site-functions/vendor-completions/; s/\.1$/&.gz/' \
            share/doc/connect-cache/{LICENSES-THIRD-PARTY,copyright}) -

    # lintian takes a position-independent static binary for a library. The only changelog is upstream's, in Markdown.
    lintian --allow-root --fail-on error,warning --suppress-tags \
        shared-library-lacks-prerequisites,empty-field,no-changelog,wrong-name-for-upstream-changelog "$package"

    mkdir -p "$root"/var/lib/dpkg/{info,updates}
    : >"$root/var/lib/dpkg/status"
    before=$(cd "$root" && find . -not -path './var/*' | sort)
    dpkg --root="$root" --install "$package"
    [[ $(chroot "$root" /usr/bin/connect-cache --version) = "connect-cache $version"* ]]
    cmp "$root/usr/bin/connect-cache" "$(binary_of "$(uname -m)")"
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
    # The package depends only on rpm itself, and runs nothing at install time.
    ! rpm --query --requires --package "$package" | grep -v '^rpmlib(' || return 1
    ! rpm --query --scripts --package "$package" | grep . || return 1
    rpm --query --queryformat '[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]' --package "$package" >"$scratch/rpm/list"
    belongs_to_root <"$scratch/rpm/list"
    sed 's/.* //' "$scratch/rpm/list" | LC_ALL=C sort |
        diff <(installed /usr 's/\.1$/&.gz/' share/doc/connect-cache/LICENSES-THIRD-PARTY) -
    mkdir -p "$root"
    rpm --root "$root" --install --ignorearch "$package"
    [[ $(chroot "$root" /usr/bin/connect-cache --version) = "connect-cache $version"* ]]
    cmp "$root/usr/bin/connect-cache" "$(binary_of "$(uname -m)")"
    rpm --root "$root" --erase connect-cache
    # cargo-generate-rpm lists no directories, so empty ones remain.
    ! find "$root/usr" -type f | grep . || return 1
    (cd dist && sha256sum --check --quiet SHA256SUMS)
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
    # In the folder of other builds it would replace the program that the tests run by one without a commit.
    cargo package --package connect-cache --locked --quiet --target-dir "${CARGO_TARGET_DIR:-target}/crate" "${dirty[@]}"
    echo "the crate holds $(wc -l <<<"$list") files and builds from them"
}
