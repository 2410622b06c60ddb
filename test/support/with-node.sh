#!/usr/bin/env bash
# with-node.sh SCRIPT [ARGS…]: runs a TypeScript file under the pinned Node 24, installing the npm dependencies first when they are missing or out of date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
stamp=node_modules/.package-lock.json
if [ ! -x node_modules/node/bin/node ] || [ package-lock.json -nt "$stamp" ]; then
  echo "installing npm dependencies (npm install)…" >&2
  npm install --no-save --no-audit --no-fund --loglevel=error >&2
  touch "$stamp"
fi
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$PWD/node_modules/.cache/node}"
script=$1; shift
exec node_modules/node/bin/node --disable-warning=ExperimentalWarning "$script" "$@"
