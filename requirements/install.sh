#!/usr/bin/env bash
# Makes .venv: picks the stack, installs its hash-locked set, verifies it by importing.
# Returns at once when .venv already is what it should be.
#
#   requirements/install.sh           install
#   requirements/install.sh --runtime without what tests and lints (stack tfx121; the image's set)
#   requirements/install.sh --check   print "STACK PYTHON", or what stands in the way, and stop
#   STACK=tfx116|tfx121               overrides the choice of stack
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/sciformer-install # written last: an environment without it counts as unfinished

fail() { # fail LINE...: one message, then out
    printf 'install: %s\n' "$1" >&2
    if (($# > 1)); then printf '         %s\n' "${@:2}" >&2; fi
    exit 2
}

check_machine() { # sets glibc
    if [[ "$(uname -s) $(uname -m)" != "Linux x86_64" ]]; then
        fail "TFX publishes wheels for Linux on x86-64, and this is $(uname -s) on $(uname -m)." \
            "Use such a machine, or a container with --platform linux/amd64."
    fi
    if ! glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null); then
        fail "TFX publishes wheels for glibc, and this system has another C library." \
            "Use Debian, Ubuntu or Fedora, or a container of one of them."
    fi
    glibc=${glibc#glibc }
}

at_least() { # at_least VERSION MINIMUM
    [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

candidates() { # candidates MINOR: every place where Python 3.MINOR may be, best first
    local pyenv=${PYENV_ROOT:-$HOME/.pyenv}/versions
    local uv=${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}
    type -aP "python3.$1" python3 || true
    compgen -G "$pyenv/3.$1*/bin/python3.$1" | sort -rV || true
    compgen -G "$uv/cpython-3.$1*/bin/python3.$1" | sort -rV || true
}

find_python() { # find_python MINOR...: prints the first 3.MINOR that really runs
    local minor candidate
    # An activated .venv comes first on PATH, and can't be what .venv is made from.
    local code='import sys; print(sys.version_info[:2], sys.prefix == sys.base_prefix)'
    for minor in "$@"; do
        while read -r candidate; do
            # pyenv's shim of a version that is not selected is on PATH too, and fails when run.
            if [[ $("$candidate" -I -c "$code" 2>/dev/null) == "(3, $minor) True" ]]; then
                echo "$candidate"
                return
            fi
        done < <(candidates "$minor")
    done
    return 1
}

no_python() { # no_python WHY VERSION: fails with the command that mends it
    local mend="python3 -m venv ~/.uv && ~/.uv/bin/pip install uv && ~/.uv/bin/uv python install $2"
    if command -v uv >/dev/null; then
        mend="uv python install $2"
    elif command -v pyenv >/dev/null; then
        mend="pyenv install $2"
    elif ! command -v python3 >/dev/null && command -v apt-get >/dev/null; then
        mend="sudo apt-get install python3 python3-venv python3-dev"
    fi
    fail "$1" "Looked on PATH, in pyenv's versions and in uv's. Mend it with:" "    $mend"
}

choose() { # sets stack and python
    case ${STACK:-} in
        tfx116 | tfx121) stack=$STACK ;;
        "") if at_least "$glibc" 2.38 && find_python 13 12 11 >/dev/null; then
            stack=tfx121
        else
            stack=tfx116
        fi ;;
        *) fail "STACK=$STACK is not a stack. It can be tfx116 or tfx121, or stay unset." ;;
    esac
    if [[ $stack == tfx121 ]]; then
        at_least "$glibc" 2.38 || fail "stack tfx121 needs glibc 2.38 or newer, and this is $glibc." \
            "Leave STACK unset; that stack's tests run here with:  make test-current"
        python=$(find_python 13 12 11) ||
            no_python "stack tfx121 needs Python 3.11, 3.12 or 3.13, and none was found." 3.13
    elif [[ -z ${STACK:-} ]] && at_least "$glibc" 2.38; then
        python=$(find_python 10) || no_python "no Python from 3.10 to 3.13 was found." 3.13
    else
        python=$(find_python 10) ||
            no_python "stack tfx116 needs Python 3.10, and none was found (glibc $glibc)." 3.10
    fi
}

lock_of() { # lock_of STACK: the file that says what is installed
    echo "requirements/$1$variant.txt"
}

check_tools() { # what building pyfarmhash, which has no wheels, and making .venv take
    local cxx header ensurepip
    {
        read -r cxx
        read -r header
        read -r ensurepip
    } < <("$python" -I -c '
import importlib.util, os, sysconfig
print((os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "g++").split()[0])
print(os.path.join(sysconfig.get_path("include"), "Python.h"))
print(importlib.util.find_spec("ensurepip") is not None)')
    if [[ $ensurepip != True ]]; then
        fail "$python can't make virtual environments: its venv package is missing." \
            "On Debian and Ubuntu:  sudo apt-get install $(basename "$python")-venv"
    fi
    if ! command -v "$cxx" >/dev/null; then
        fail "no C++ compiler ($cxx) was found; one of TFX's requirements is built from source." \
            "On Debian and Ubuntu:  sudo apt-get install g++"
    fi
    if [[ ! -e $header ]]; then
        fail "the headers of $python are missing ($header)." \
            "On Debian and Ubuntu:  sudo apt-get install $(basename "$python")-dev"
    fi
}

describe() { # describe STACK: what a finished .venv of that stack says in its stamp
    echo "$1"
    echo "lock $(sha256sum <"$(lock_of "$1")")"
    echo "path $PWD/.venv"
    .venv/bin/python -I -c 'import sys; print("python", sys.version)'
}

is_ready() {
    local installed
    [[ -x .venv/bin/python ]] && read -r installed 2>/dev/null <"$stamp" &&
        [[ -e $(lock_of "$installed") ]] &&
        [[ ${STACK:-$installed} == "$installed" && $(<"$stamp") == "$(describe "$installed")" ]]
}

install() {
    local uv mirror lock
    lock=$(lock_of "$stack")
    echo "install: stack $stack with $python into .venv (a minute or two)"
    uv=$(requirements/get_uv.sh "$python")
    "$uv" venv --quiet --clear --no-project --python "$python" .venv
    if [[ -z ${UV_DEFAULT_INDEX:-} ]]; then # uv reads no pip settings: a mirror named there is passed on
        mirror=${PIP_INDEX_URL:-$(.venv-uv/bin/pip config get global.index-url 2>/dev/null || true)}
        if [[ -n $mirror ]]; then export UV_DEFAULT_INDEX=$mirror; fi
    fi
    # The lock constrains what packages are built with, too. Two lines a package are too many.
    "$uv" pip sync --python .venv/bin/python --require-hashes --build-constraints "$lock" \
        --compile-bytecode "$lock" 2>&1 | sed -E '/^ ([+-]|Downloaded|  *Buil[td])/d; s/^/install: /'
    verify
    describe "$stack" >"$stamp.new"
    mv "$stamp.new" "$stamp"
    echo "install: .venv is ready"
}

verify() {
    local output
    echo "install: verifying by importing"
    if ! output=$(TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore .venv/bin/python -c '
import keras_hub, tensorflow_data_validation, tensorflow_model_analysis, tensorflow_text
import apache_beam, lxml.etree, pydantic, safetensors, sentencepiece, sklearn, starlette
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tfx import v1' 2>&1); then
        fail "the installed packages do not import:" "$output"
    fi
}

variant=
case $* in
    "" | --check) ;;
    --runtime) variant=_runtime ;;
    *) fail "unknown argument: $*. Usage: requirements/install.sh [--check | --runtime]" ;;
esac
if [[ $* != --check ]] && is_ready; then exit 0; fi
check_machine
choose
if [[ ! -e $(lock_of "$stack") ]]; then fail "there is no runtime set of stack $stack, only of tfx121."; fi
check_tools
if [[ $* == --check ]]; then
    echo "$stack $python"
    exit 0
fi
exec {lock_file}>.venv.lock
flock "$lock_file" # two at once would write over each other; the second finds the first one's work
is_ready || install
