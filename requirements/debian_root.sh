#!/usr/bin/env bash
# Runs a command on a copy of this checkout inside a Debian 13 root, where the current stack installs
# whatever the host is. The root is built once, with debootstrap, and cached; .venv stays in it.
#
#   requirements/debian_root.sh COMMAND...      e.g.  requirements/debian_root.sh make test
#
# Needs root. Everything is mounted in a mount namespace of its own, so that nothing is left mounted,
# and nothing of the host can be deleted through a mount, however the command ends.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=trixie
packages=ca-certificates,g++,git,make,python3,python3-dev,python3-venv
key=$(sha256sum <<<"$suite $packages" | cut -c 1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}
certificates=/etc/ssl/certs/ca-certificates.crt
root=$cache/sciformer-roots/debian13-$key
data=$cache/sciformer

fail() {
    printf 'debian_root: %s\n' "$@" >&2
    exit 2
}

check_host() {
    if ((EUID != 0)); then fail "needs root, to mount and to change root:  sudo make test-current"; fi
    if ! unshare --mount true 2>/dev/null; then
        fail "may not mount here. In a container, run it with --privileged (or --cap-add SYS_ADMIN)."
    fi
    if command -v debootstrap >/dev/null; then return; fi
    if ! command -v apt-get >/dev/null; then
        fail "debootstrap is missing; install it with this system's package manager."
    fi
    echo "debian_root: installing debootstrap"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get -qq update && apt-get -qq install -y debootstrap debian-archive-keyring; } >/dev/null; then
        fail "debootstrap could not be installed:  apt-get update && apt-get install -y debootstrap"
    fi
}

build_root() {
    local partial
    if [[ -d $root ]]; then return; fi
    echo "debian_root: building a Debian 13 root in $root (about a minute, once)"
    rm -rf --one-file-system "$cache/sciformer-roots"/.partial-* # left by a build that was killed
    partial=$(mktemp -d "$cache/sciformer-roots/.partial-XXXXXX")
    chmod 755 "$partial"
    if ! debootstrap --variant=minbase --include="$packages" "$suite" "$partial" \
        ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$partial.log" 2>&1; then
        tail -n 20 "$partial.log" >&2
        fail "debootstrap failed; its last lines are above, the rest in $partial.log."
    fi
    rm -rf "$partial"/var/cache/apt/archives "$partial.log"
    mv "$partial" "$root"
}

copy_checkout() { # what git knows or would add; .venv of the last time stays
    mkdir -p "$root/src"
    find "$root/src" -mindepth 1 -maxdepth 1 ! -name '.venv*' -exec rm -rf --one-file-system {} +
    git -c safe.directory="$PWD" ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do
            if [[ -e $file || -L $file ]]; then printf '%s\0' "$file"; fi
        done |
        tar --create --null --files-from=- | tar --extract --directory "$root/src"
}

copy_network_settings() {
    local bundle
    cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
    for bundle in "${SSL_CERT_FILE:-}" "${REQUESTS_CA_BUNDLE:-}" "${PIP_CERT:-}" \
        /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
        if [[ -f $bundle ]]; then
            cp --dereference "$bundle" "$root$certificates"
            return
        fi
    done
}

mount_all() {
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mkdir -p "$data" "$root/root/.cache/sciformer"
    mount --bind "$data" "$root/root/.cache/sciformer"
}

run_in_root() { # with a clean environment, but for what reaching a registry may need
    local name environment=()
    for name in $(compgen -e); do
        case $name in
            CI | TERM | *_proxy | *_PROXY | HF_* | PIP_*INDEX_URL | PIP_TRUSTED_HOST | UV_*INDEX*)
                environment+=("$name=${!name}")
                ;;
        esac
    done
    for name in CURL_CA_BUNDLE PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_FILE; do
        environment+=("$name=$certificates")
    done
    # shellcheck disable=SC2016 # $@ is for the inner shell
    env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        "${environment[@]}" chroot "$root" sh -c 'cd /src && exec "$@"' sh "$@"
}

if (($# == 0)); then fail "usage: requirements/debian_root.sh COMMAND..."; fi
if [[ ${1:-} != --inside ]]; then
    check_host
    exec unshare --mount --pid --fork --kill-child --mount-proc -- "$0" --inside "$@"
fi
shift
trap 'exit 130' INT TERM # the first process of a namespace is spared signals it has no handler for
mkdir -p "$cache/sciformer-roots"
exec {lock_file}>"$root.lock"
if ! flock --nonblock "$lock_file"; then
    echo "debian_root: another command is running in the root; waiting for it"
    flock "$lock_file"
fi
build_root
copy_checkout
copy_network_settings
mount_all
run_in_root "$@"
