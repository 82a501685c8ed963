#!/bin/sh
# Installs spacetime. Where the releases are is said by SPACETIME_DOWNLOAD_ROOT, the
# address of one release, or SPACETIME_UPDATE_RELEASES_URL, that of all of them:
#
#   curl -sSf <address>/install.sh | SPACETIME_UPDATE_RELEASES_URL=<address> sh
#
# Arguments are handed to the installer: --root-dir <directory>, -y.
set -eu

usage() {
  cat <<'USAGE'
Installs spacetime.

Usage: install.sh [--root-dir <directory>] [-y]

  --root-dir <directory>  install below this directory
  -y, --yes               do not ask
  -h, --help              show this help

Environment:
  SPACETIME_UPDATE_RELEASES_URL  address of the releases; the newest one is taken
  SPACETIME_DOWNLOAD_ROOT        address of one release
USAGE
}

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

for argument in "$@"; do
  case $argument in
  -h | --help)
    usage
    exit 0
    ;;
  esac
done

for tool in uname mktemp chmod rm; do
  command -v "$tool" >/dev/null 2>&1 || fail "$tool is needed and not in PATH"
done
if command -v curl >/dev/null 2>&1; then
  fetch() { curl -sSfL "$1"; }
elif command -v wget >/dev/null 2>&1; then
  fetch() { wget -qO- "$1"; }
else
  fail "curl or wget is needed"
fi

case $(uname -m) in
x86_64 | amd64) arch=x86_64 ;;
aarch64 | arm64) arch=aarch64 ;;
*) fail "there are no releases for the processor $(uname -m): build spacetime from its source" ;;
esac
suffix=
case $(uname -s) in
Linux) system=unknown-linux-gnu ;;
Darwin) system=apple-darwin ;;
MINGW* | MSYS* | CYGWIN*) system=pc-windows-msvc suffix=.exe ;;
*) fail "there are no releases for $(uname -s): build spacetime from its source" ;;
esac
target=$arch-$system

root=${SPACETIME_DOWNLOAD_ROOT:-}
if [ -z "$root" ]; then
  releases=${SPACETIME_UPDATE_RELEASES_URL:-}
  [ -n "$releases" ] || fail "set SPACETIME_UPDATE_RELEASES_URL to the address of the releases"
  # The newest is listed last.
  version=$(fetch "${releases%/}/releases" | grep -v -e - | tail -n 1) || version=
  [ -n "$version" ] || fail "there is no list of releases at ${releases%/}/releases"
  root=${releases%/}/v${version#v}
fi
file=spacetimedb-update-$target$suffix

directory=$(mktemp -d) || fail "no temporary directory can be made"
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' INT TERM
# By this name the program knows what to do.
program=$directory/spacetime-install$suffix
echo "Downloading $root/$file" >&2
fetch "$root/$file" >"$program" || fail "$root/$file cannot be downloaded"
[ -s "$program" ] || fail "$root/$file is empty"

if sums=$(fetch "$root/SHA256SUMS" 2>/dev/null); then
  wanted=$(printf '%s\n' "$sums" | sed -n "s/^\([0-9a-f]*\) [ *]$file\$/\1/p")
  if command -v sha256sum >/dev/null 2>&1; then
    sum=$(sha256sum "$program")
  elif command -v shasum >/dev/null 2>&1; then
    sum=$(shasum -a 256 "$program")
  else
    sum=
  fi
  [ -n "$wanted" ] || fail "$root/SHA256SUMS does not name $file"
  [ -z "$sum" ] || [ "${sum%% *}" = "$wanted" ] || fail "the checksum of $file is wrong; nothing has been installed"
else
  fail "$root/SHA256SUMS cannot be downloaded: what has been downloaded cannot be checked"
fi

chmod +x "$program"
"$program" "$@"
