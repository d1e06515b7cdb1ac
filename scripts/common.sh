# shellcheck shell=bash
# Sourced by every script here: strict mode, `root` (the package's folder), `--help` and `fail`.

set -euo pipefail
script="$(basename "$0")"
# shellcheck disable=SC2034  # used by the scripts that source this
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Ends the script with one sentence on stderr.
fail() {
  echo "$script: $*" >&2
  exit 1
}

# The help of a script is the comment that follows its first line.
case "${1:-}" in
  --help | -h)
    sed -n -e '1d' -e '/^#/!q' -e 's/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
