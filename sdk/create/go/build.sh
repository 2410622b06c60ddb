#!/bin/sh
# gen/ from proto/, when that has changed; then the program, for any Linux of this kind of machine.
set -eu
cd "$(dirname "$0")"
command -v go >/dev/null || { echo 'build.sh: needs Go: https://go.dev/dl' >&2; exit 1; }

if [ ! -e gen ] || [ -n "$(find proto buf.gen.yaml go.mod -newer gen)" ]; then
  PATH="$PWD/node_modules/.bin:$PATH"
  command -v buf >/dev/null || { echo 'build.sh: needs buf to make gen/ from proto/: npm install brings it' >&2; exit 1; }
  rm -rf gen
  buf generate proto --template buf.gen.yaml || { rm -rf gen; exit 1; }
  touch gen
fi
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o driver .
