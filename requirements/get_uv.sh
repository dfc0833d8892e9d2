#!/usr/bin/env bash
# Prints the path of the locked uv, installing it into .venv-uv if it is not there yet.
# usage: get_uv.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."

home=$PWD/.venv-uv
version=$(sed -n 's/^uv==\([^ ;]*\).*/\1/p' requirements/uv.txt)
if [[ $("$home/bin/uv" --version 2>/dev/null) != "uv $version"* ]]; then
    rm -rf "$home"
    "$1" -m venv "$home" >&2
    "$home/bin/python" -m pip install -qq --disable-pip-version-check \
        --require-hashes --only-binary :all: -r requirements/uv.txt >&2
fi
echo "$home/bin/uv"
