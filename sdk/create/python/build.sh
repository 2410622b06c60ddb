#!/bin/sh
# lib/ from requirements.txt, and gen/ from proto/: each when that has changed. For the Python that runs the plugin.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import venv, ensurepip' 2>/dev/null || {
  echo "build.sh: needs $python with venv (Debian: python3-venv); PYTHON=… names another one of the same version" >&2
  exit 1
}

# made FOLDER FROM…: whether it is there and newer than all that it is made of.
made() { [ -e "$1" ] && [ -z "$(find "$@" -newer "$1" ! -path "$1*")" ]; }

# A folder is whole or not there.
finish() { "$python" -m compileall -q "$1.new" && rm -rf "$1" && mv "$1.new" "$1" && touch "$1"; }

if made lib requirements.txt && made gen proto requirements-tools.txt; then exit 0; fi
tools=$(mktemp -d)
trap 'rm -rf "$tools" lib.new gen.new' EXIT
"$python" -m venv "$tools"
install() { "$tools/bin/python3" -m pip install --quiet --disable-pip-version-check "$@"; }

if ! made lib requirements.txt; then
  install --target lib.new --requirement requirements.txt
  finish lib
fi
if ! made gen proto requirements-tools.txt; then
  install --requirement requirements-tools.txt
  mkdir gen.new
  find proto -name '*.proto' -exec \
    "$tools/bin/python3" -m grpc_tools.protoc -I proto --python_out=gen.new --grpc_python_out=gen.new {} +
  finish gen
fi
