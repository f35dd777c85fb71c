#!/usr/bin/env bash
# Checks what is built for armv7.
# shellcheck disable=SC2154 # packaging/check sets the shared variables

# Runs the program under qemu, without the NEON instructions that some armv7 processors lack. The packages have to exist.
check_armv7() {
    local binary program package
    binary=$(binary_of armv7)
    if [ ! -x "$binary" ]; then
        echo "skipped: there is no armv7 binary here"
        return
    fi
    program=(qemu-arm-static -cpu "cortex-a9,neon=off" "$binary")
    main_job "$scratch/armv7" "${program[@]}"
    program+=(--server "$url" --api-key-file "$scratch/armv7/key" --cacert "$scratch/armv7/ca.pem")
    expect 0 "${program[@]}" check
    grep -q 'DELETE requests get through' <<<"$out"
    expect 1 "${program[@]}" purge --all --yes
    grep -qx '1 deleted, 1 failed' <<<"$err"

    package=$(echo dist/*_armhf.deb)
    [ "$(dpkg-deb --field "$package" Architecture)" = armhf ]
    dpkg-deb --fsys-tarfile "$package" | tar --extract --to-stdout ./usr/bin/connect-cache | cmp - "$binary"
    package=$(echo dist/*.armv7hl.rpm)
    [ "$(rpm --query --queryformat '%{ARCH}' --package "$package")" = armv7hl ]
    echo "list, delete, failing delete, refused certificate, check and purge over TLS, under qemu; armhf and armv7hl packages"
}
