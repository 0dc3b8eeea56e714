#!/usr/bin/env bash
# Build the pages into metaflow_web/static. Needs Node 20 or newer and npm; run it again after a change below src.
set -euo pipefail
cd "$(dirname "$0")"
command -v npm >/dev/null || { echo "plugins/web/build.sh: npm is missing; run: apt-get install nodejs npm" >&2; exit 1; }
if [ ! -x node_modules/.bin/vite ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --silent --no-audit --no-fund
fi
npm run --silent build
