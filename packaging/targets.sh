#!/usr/bin/env bash
# Tells what differs between the architectures that the program is built for. The scripts in this directory source it.

# target_of ARCH: prints the name of Rust's target for static binaries.
target_of() {
    case $1 in
        armv7*) echo armv7-unknown-linux-musleabihf ;;
        *) echo "$1-unknown-linux-musl" ;;
    esac
}

# compiler_of ARCH: prints the name of Debian's C compiler for the architecture.
compiler_of() {
    case $1 in
        "$(uname -m)") echo gcc ;;
        armv7) echo arm-linux-gnueabihf-gcc ;;
        *) echo "$1-linux-gnu-gcc" ;;
    esac
}

# debian_musl ARCH FOLDER: downloads Debian's musl into FOLDER, for a target that rustup does not have, and sets `musl`
# to the flags with which rustc links it. Fails if there is none.
debian_musl() {
    local folder=$2 lib=$2/usr/lib/arm-linux-musleabihf apt part
    [ "$1" = armv7 ] || return 1
    if [ ! -f "$lib/libunwind.a" ]; then
        mkdir -p "$folder/apt"
        # The lists for armhf are apart from the machine's own: after `dpkg --add-architecture`, an index of armhf that
        # is out of step would break every update of the machine.
        apt=(apt-get -qq -oAPT::Architecture=armhf -oAPT::Architectures=armhf
            "-oDir::State=$folder/apt" "-oDir::Cache=$folder/apt" -oDir::State::status=/dev/null)
        # The lists of some sources may be missing. The download needs only one of them.
        "${apt[@]}" update >/dev/null 2>&1 || true
        if ! (cd "$folder" && rm -f ./*.deb && "${apt[@]}" download musl-dev && dpkg --extract ./*.deb .) >/dev/null 2>&1; then
            echo "static: cannot download Debian's musl-dev for armhf" >&2
            return 1
        fi
        # The standard library names an unwinder, which nothing calls.
        printf '!<arch>\n' >"$lib/libunwind.a"
    fi
    musl=(-C link-self-contained=no -C target-feature=+crt-static -L "native=$lib")
    for part in crt1.o crti.o crtn.o; do
        musl+=(-C "link-arg=$lib/$part")
    done
}
