#!/usr/bin/env bash
# Checks the image by running it with buildah.
# shellcheck disable=SC2154 # packaging/check sets the shared variables

# contained OPTION... -- WORD...: runs the program with these words in $container, with these options of buildah.
contained() {
    local words=()
    while [ "$1" != -- ]; do
        words+=("$1")
        shift
    done
    buildah run --no-hosts --volume "$secret:/secret:ro" "${words[@]}" "$container" /connect-cache "${@:2}"
}

check_image() {
    local folder=$scratch/image
    # Keep everything in a directory of its own, and need no privileges that a build container lacks.
    export CONTAINERS_STORAGE_CONF=$folder/storage.conf BUILDAH_ISOLATION=chroot BUILDER=buildah
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$folder/root" "$folder/run" >"$CONTAINERS_STORAGE_CONF"
    packaging/image.sh

    local image=localhost/connect-cache:$version container root secret=$folder/secret
    container=$(buildah from --pull-never --dns none "$image")
    [ "$(buildah inspect --type image --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}}' "$image")" = '65532:65532 [/connect-cache]' ]
    root=$(buildah mount "$container")
    [ "$(cd "$root" && find . -type f)" = ./connect-cache ]

    # Mount the CA, and a key that only the image's user can read, as Kubernetes mounts a secret.
    start_server "$folder" --listen 127.0.0.1:0 --task-seconds 0.2
    install -d "$secret"
    install -m 400 -o 65532 -g 65532 "$folder/key" "$secret/key"
    install -m 400 "$folder/key" "$secret/roots"
    install -m 444 "$folder/ca.pem" "$secret/ca.pem"
    local trusting=(--cacert /secret/ca.pem --api-key-file /secret/key)
    expect 0 contained -- "${trusting[@]}" --server "$url" list
    grep -q 'Python *3\.7\.6' <<<"$out"
    expect 0 contained -- "${trusting[@]}" --server "$url" delete -l Python -V 3.7.6
    grep -q 'Successfully deleted' <<<"$out"
    expect 2 contained -- --cacert /secret/ca.pem --api-key-file /secret/roots --server "$url" list
    grep -qi 'permission denied' <<<"$err"

    # Build the example that copies the program from this image, on a base that is not pulled.
    buildah build --quiet --build-arg "CONNECT_CACHE=$image" --build-arg BASE=scratch --tag connect-cache-example \
        --file packaging/examples/Containerfile "$folder/secret"
    local example
    example=$(buildah from --pull-never localhost/connect-cache-example)
    expect 0 buildah run "$example" /usr/local/bin/connect-cache --version
    [[ $out = "connect-cache $version"* ]]

    # Without resolv.conf and hosts, a name cannot be resolved, which is reported soon.
    ! [ -s "$root/etc/resolv.conf" ] || return 1
    ! [ -s "$root/etc/hosts" ] || return 1
    local named=https://localhost:${url##*:}
    expect 6 contained -- "${trusting[@]}" --server "$named" --retries 0 list
    echo '127.0.0.1 localhost' >"$folder/hosts"
    expect 0 contained --volume "$folder/hosts:/etc/hosts:ro" -- "${trusting[@]}" --server "$named" list
    echo "one file, user 65532: list and delete over TLS with mounted key and CA; by address, and by a name of /etc/hosts"
}
