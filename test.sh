#!/bin/sh
# Sets everything up and runs every check there is; words name single steps: ./test.sh unit package
# The last line sums up: N passed, N failed, N skipped.
set -eu
cd "$(dirname "$0")"
. scripts/setup.sh
exec node --disable-warning=ExperimentalWarning scripts/test.ts "$@"
