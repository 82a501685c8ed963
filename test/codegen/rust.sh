#!/usr/bin/env bash
# Rust bindings: compiled with the official SDK and run against our server.
#
#   test/codegen/rust.sh                 the releases that CI tries
#   RUST_SDKS="2.0.5 2.10.1" test/codegen/rust.sh
#
# The newest releases ask for a newer compiler than many systems have, and build
# without it; RUSTC_BOOTSTRAP lets them.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
begin codegen-rust
: "${RUST_SDKS:=1.12.0 2.14.0}"
export CARGO_TARGET_DIR=${CARGO_CLIENT_DIR:-$root/.work/rust-clients} RUSTC_BOOTSTRAP=1 CARGO_TERM_COLOR=never
if [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ]; then
  export PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc
elif ! command -v cargo >/dev/null; then
  echo "skipped: Rust clients: no cargo (Debian: rustc-web cargo-web)"
  finish
fi

modules=$here/modules
golden=$(sed -n 's/^ *"args_hex": "\([0-9a-f]*\)".*/\1/p' "$root/testdata/vectors/codegen/set_all.json")
wasm=$work/module.wasm
build_module() { stdb build --module-path "$here/rust/module" && cp "$here/rust/module/dist/module.wasm" "$wasm"; }
check "build the module" build_module || finish
start_server
use_server >"$work/server.out" 2>&1

# bindings SDK DIR: those of every module that the client has.
bindings() {
  stdb generate --lang rust --sdk-version "$1" --bin-path "$wasm" --out-dir "$2/module_bindings" --yes &&
    for name in alltypes hard empty odd; do
      stdb generate --lang rust --sdk-version "$1" --module-def "$modules/$name.json" --out-dir "$2/$name" --yes || return
    done
}

client() { # SDK: makes and builds the client's crate
  local dir=$work/client-$1 main=main-2.x.rs features=
  case $1 in 1.*) main=main-1.x.rs ;; 2.13.* | 2.14.*) features=view_calls ;; esac
  mkdir -p "$dir/src"
  cp "$here/rust/client.rs" "$dir/src/"
  cp "$here/rust/$main" "$dir/src/main.rs"
  sed "s/VERSION/$1/; s/NAME/client-${1//./-}/" "$here/rust/Cargo.toml.in" >"$dir/Cargo.toml"
  bindings "$1" "$dir/src" || return
  (cd "$dir" && cargo build --quiet --ignore-rust-version --features "$features")
}

for sdk in $RUST_SDKS; do
  check "the bindings compile with Rust SDK $sdk" client "$sdk" || continue
  case $sdk in
  1.12.*) covers 10.7 10.16 10.17 ;;
  *) covers 10.7 10.16 10.17 10.32 ;;
  esac
  db=rust-${sdk//./-}
  check "publish for $sdk" stdb publish --yes --bin-path "$wasm" "$db" || continue
  if check "the client with Rust SDK $sdk runs" timeout 300 "$CARGO_TARGET_DIR/debug/client-${sdk//./-}" "$uri" "$db" "$golden"; then
    covers 10.4 10.5 10.19
    case $sdk in 2.*) covers 10.18 10.20 10.31 ;; esac
  fi
  rm -rf "$work/again" && bindings "$sdk" "$work/again" >/dev/null 2>&1
  check "two runs for $sdk write the same bytes" diff -r "$work/client-$sdk/src/module_bindings" "$work/again/module_bindings"
done
finish
