# Rust bindings, compiled with the official SDK and run against our server. RUST_SDKS
# are the releases to try.
#
# The newest releases ask for a newer compiler than many systems have, and build
# without it; RUSTC_BOOTSTRAP lets them.
# shellcheck shell=bash disable=SC2154  # sourced by run, which sets here, root, work
: "${RUST_SDKS:=1.12.0 2.14.0}"
rust_target=${CARGO_CLIENT_DIR:-$root/.work/rust-clients}
rust_module=$here/rust/module/dist/module.wasm
rust_golden=$(sed -n 's/^ *"args_hex": "\([0-9a-f]*\)".*/\1/p' "$vectors/set_all.json")

rust_cargo() {
  if [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ]; then
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TERM_COLOR=never CARGO_TARGET_DIR=$rust_target /usr/bin/cargo "$@"
  else
    RUSTC_BOOTSTRAP=1 CARGO_TERM_COLOR=never CARGO_TARGET_DIR=$rust_target cargo "$@"
  fi
}

# rust_bindings SDK DIR writes those of every module that the client has.
rust_bindings() {
  local name
  stdb generate --lang rust --sdk-version "$1" --bin-path "$rust_module" --out-dir "$2/module_bindings" --yes || return
  for name in alltypes hard empty odd; do
    stdb generate --lang rust --sdk-version "$1" --module-def "$modules/$name.json" --out-dir "$2/$name" --yes || return
  done
}

# rust_client SDK makes and builds the crate of a client.
rust_client() {
  local dir=$work/rust-$1 main=main-2.x.rs features=
  case $1 in
  1.12.*) main=main-1.x.rs ;;
  1.*) main=main-old.rs ;; # compiles, and does nothing
  2.13.* | 2.14.*) features=view_calls ;;
  esac
  mkdir -p "$dir/src"
  cp "$here/rust/client.rs" "$dir/src/"
  cp "$here/rust/$main" "$dir/src/main.rs"
  sed "s/VERSION/$1/; s/NAME/client-${1//./-}/" "$here/rust/Cargo.toml.in" >"$dir/Cargo.toml"
  rust_bindings "$1" "$dir/src" || return
  (cd "$dir" && rust_cargo build --quiet --ignore-rust-version --features "$features")
}

# rust_sender makes the receiver bindings that a module holds of another one, and
# builds it.
rust_sender() {
  mkdir -p "$work/caller" && cp -r "$here/rust/sender" "$work/caller/" || return
  cat >"$work/caller/spacetime.json" <<EOF
{ "children": [
  { "database": "people", "bin-path": "$rust_module" },
  { "database": "caller", "module-path": "./sender", "dependencies": [{ "name": "people", "database": "people" }] } ] }
EOF
  cd "$work/caller" && stdb generate caller --yes && grep -q '^pub mod people;$' sender/src/remote_bindings/mod.rs && stdb build --module-path sender
}

# rust_arrives publishes both modules and sees whether a row of the sender's outbox
# becomes a row of the other.
rust_arrives() {
  local people
  stdb publish --yes --bin-path "$rust_module" rust-people &&
    stdb publish --yes --bin-path "$rust_sender_wasm" rust-caller || return
  people=$(stdb sql rust-people "SELECT * FROM person" >/dev/null && curl -sf "$uri/v1/database/rust-people/identity") || return
  stdb call rust-caller add_there "\"0x$people\"" '"Zoe"' && eventually rust_zoe
}
rust_zoe() { stdb sql rust-people "SELECT score FROM person WHERE name = 'Zoe'" | grep -q 7; }

rust_suite() {
  local sdk db
  if [ ! -x /usr/bin/cargo ] && ! command -v cargo >/dev/null; then
    echo "skipped: Rust clients: no cargo (Debian: rustc-web cargo-web)"
    return
  fi
  check "build the module of the Rust clients" stdb build --module-path "$here/rust/module" || return
  if [ -z "$server_pid" ]; then
    start_server
    use_server 2>/dev/null
  fi
  if (rust_toolchain); then # in a process of its own: its settings are for modules
    if check "a Rust module with receiver bindings builds" eval '(rust_toolchain && rust_sender)'; then
      covers 09.104
      rust_sender_wasm=${CARGO_TARGET_DIR:-$root/.work/cargo}/wasm32-unknown-unknown/release/sender.wasm
      check "its outbox calls the other module" rust_arrives
    fi
  fi
  for sdk in $RUST_SDKS; do
    check "the bindings compile with Rust SDK $sdk" rust_client "$sdk" || continue
    case $sdk in 1.12.*) ;; 1.*) continue ;; esac
    covers 10.7 10.16 10.17
    case $sdk in 2.[89].* | 2.1?.*) covers 10.32 ;; esac
    db=rust-${sdk//./-}
    check "publish for Rust SDK $sdk" stdb publish --yes --bin-path "$rust_module" "$db" || continue
    if check "the client with Rust SDK $sdk runs" timeout 300 "$rust_target/debug/client-${sdk//./-}" "$uri" "$db" "$rust_golden"; then
      covers 10.4 10.5 10.19
      case $sdk in 2.*) covers 10.18 10.20 10.31 ;; esac
    fi
    rust_bindings "$sdk" "$work/again" >/dev/null 2>&1
    check "two runs for Rust SDK $sdk write the same bytes" diff -r "$work/rust-$sdk/src/module_bindings" "$work/again/module_bindings"
    rm -rf "$work/again"
  done
  stop_server
}
rust_suite
