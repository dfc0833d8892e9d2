#!/usr/bin/env bash
# Refreshes the hash-locked sets from the .in files: `make lock`.
# The newest versions that fit are taken; pass `--upgrade-package NAME` to move one package only.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=$(requirements/get_uv.sh python3)
if (($# == 0)); then set -- --upgrade; fi

beside=$(mktemp -d requirements/.lock.XXXXXX)
trap 'rm -rf "$beside"' EXIT

compile() { # compile NAME OPTION...: NAME.in -> NAME.txt, replaced only if everything resolved
    local name=$1
    cp "requirements/$name.txt" "$beside" # uv keeps the versions it finds there unless told otherwise
    "$uv" pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
        --custom-compile-command "make lock" "${@:2}" "requirements/$name.in" \
        --output-file "$beside/$name.txt"
    mv "$beside/$name.txt" "requirements/$name.txt"
}

compile uv --universal --python-version 3.10 "$@"
compile tfx116 --python-version 3.10 --python-platform x86_64-manylinux_2_28 "$@"
compile tfx121 --universal --python-version 3.11 "$@"
# The same versions, even where others came out since: the image holds what was tested.
compile tfx121_runtime --universal --python-version 3.11 --constraints requirements/tfx121.txt "$@"
