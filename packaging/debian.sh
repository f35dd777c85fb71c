#!/usr/bin/env bash
# Installs missing Debian packages, for .ci/run, packaging/check and tests/interop/run, which source this.

# debian_missing PACKAGE[:PROGRAM]...: sets `missing` to the packages that are missing.
#
# A package is not missing if its program exists (default: a program with the package's name; or a file, by its path),
# so that a program from elsewhere is used, or if dpkg lists the package.
debian_missing() {
    local item program
    missing=()
    for item; do
        program=${item#*:} item=${item%%:*}
        [[ $program != /* ]] || [[ ! -r $program ]] || continue
        ! command -v "$program" >/dev/null || continue
        ! dpkg-query --show --showformat '${db:Status-Status}\n' "$item" 2>/dev/null | grep -qx installed || continue
        [[ " ${missing[*]} " = *" $item "* ]] || missing+=("$item")
    done
}

# debian_packages PACKAGE[:PROGRAM]...: installs the packages that are missing, as root or by sudo. Their services are
# not started.
debian_packages() {
    local program missing as_root=() able=1
    debian_missing "$@"
    if ((${#missing[@]} == 0)); then
        command -v dpkg >/dev/null || echo "skipped installing Debian packages: no dpkg here, and nothing is missing"
        return 0
    fi

    ((EUID == 0)) || as_root=(sudo)
    for program in dpkg apt-get "${as_root[@]}"; do
        command -v "$program" >/dev/null || able=
    done
    if [[ $able ]]; then
        echo "installing the Debian packages: ${missing[*]}"
        # shellcheck disable=SC2016 # expanded by the bash that runs as root
        "${as_root[@]}" bash -euc '
            policy=/usr/sbin/policy-rc.d
            if ! [ -e "$policy" ]; then
                trap "rm -f $policy" EXIT
                printf "#!/bin/sh\nexit 101\n" >"$policy"
                chmod 755 "$policy"
            fi
            export DEBIAN_FRONTEND=noninteractive
            apt-get update -qq
            apt-get install -y -qq --no-install-recommends "$@" >/dev/null
        ' bash "${missing[@]}" </dev/null && return 0
    fi
    echo "cannot install the missing Debian packages: ${missing[*]}" >&2
    return 1
}
