#!/bin/sh
# Installs the Debian packages that `tests` talk to (real SIP peers, a PostgreSQL server) or that the `bench` of the
# ledger measures against (a PostgreSQL server, nginx, the shells, curl), or that speak in the bench of turns.
# Without root or sudo it only says what is missing: tests that need it are then skipped with a reason, and the
# benchmark ends with the first one it needs.
#
# Usage: scripts/packages.sh tests|bench
set -eu

missing=""
need() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
case "$1" in
tests)
    need sipp sip-tester
    need baresip baresip-core
    need ip iproute2
    need kamailio kamailio
    ;;
bench)
    need nginx nginx-light
    need sqlite3 sqlite3
    need psql postgresql-client
    need curl curl
    need flite flite
    need espeak-ng espeak-ng
    ;;
*)
    echo "usage: $0 tests|bench" >&2
    exit 2
    ;;
esac
[ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || missing="$missing postgresql"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing for the $1 (no apt-get here to install them):$missing" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "Missing for the $1 (install them with apt):$missing" >&2
    exit 0
fi
echo "Installing for the $1:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
