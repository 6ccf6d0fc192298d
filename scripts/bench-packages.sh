#!/bin/sh
# Installs the Debian packages that `make bench-ledger` measures against: a PostgreSQL server, nginx, the shells, curl.
# Without root or sudo it only says what is missing; the benchmark then ends with the first one it needs.
set -eu

missing=""
need() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need nginx nginx-light
need sqlite3 sqlite3
need psql postgresql-client
need curl curl
[ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || missing="$missing postgresql"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing for the benchmark (no apt-get here to install them):$missing" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "Missing for the benchmark (install them with apt):$missing" >&2
    exit 0
fi
echo "Installing for the benchmark:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
