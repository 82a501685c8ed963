# Shell functions that the script tests share. A test sources this file, calls
# begin, and ends with finish.
#
#   begin NAME            a scratch directory in $work, removed at the end
#   start_server [ARGS]   starts a server; $uri is its address, $server_pid its process
#   stop_server [SIGNAL]  stops it and waits for its end
#   stdb ARGS             the command line, with a configuration of its own
#   rust_toolchain        makes cargo build for wasm32, or says why it cannot
#   grammars              fetches the grammars that parses needs, or says why it cannot
#   parses LANGUAGE FILE...  checks that files are of a language, by its grammar
#   eventually COMMAND    waits up to two minutes until it succeeds
#   check WHAT COMMAND    counts one test: it passes if the command does
#   covers ITEMS          prints checklist items that a passed test has proven
#   finish                prints "N passed, N failed" and exits

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${SPACETIME:=$root/bin/spacetime}"
passed=0 failed=0 server_pid=
export NO_COLOR=1

begin() {
  name=$1
  [ -x "$SPACETIME" ] || { echo "$SPACETIME is not there: run make build first" >&2; exit 1; }
  work=$(mktemp -d "${TMPDIR:-/tmp}/stdb-$name.XXXXXX") || exit 1
  mkdir -p "$work/root"
  trap cleanup EXIT
  trap 'exit 1' INT TERM
}

cleanup() {
  stop_server KILL
  rm -rf "$work"
}

# free_port finds a port that nobody listens on, below those that the system gives to
# outgoing connections: one of these could take it before the server does.
free_port() {
  node -e 'const net = require("net"); (function attempt() {
    const port = 20000 + Math.floor(Math.random() * 12000), s = net.createServer()
    s.once("error", attempt).listen(port, "127.0.0.1", () => { console.log(port); s.close() })
  })()'
}

start_server() {
  : "${port:=$(free_port)}"
  uri=http://127.0.0.1:$port
  "$SPACETIME" --root-dir "$work/root" start --listen-addr "127.0.0.1:$port" --data-dir "$work/data" "$@" >>"$work/server.log" 2>&1 &
  server_pid=$!
  local end=$((SECONDS + 120))
  while [ $SECONDS -lt $end ]; do
    curl -sf -o /dev/null "$uri/v1/ping" && return 0
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.05
  done
  echo "the server did not start:" >&2
  tail -n 30 "$work/server.log" >&2
  exit 1
}

stop_server() {
  [ -n "$server_pid" ] || return 0
  kill "-${1:-TERM}" "$server_pid" 2>/dev/null
  wait "$server_pid" 2>/dev/null
  server_pid=
}

stdb() { "$SPACETIME" --root-dir "$work/root" "$@"; }

# use_server points the command line's default at the running server.
use_server() {
  stdb server add --url "$uri" test --no-fingerprint >/dev/null 2>&1 || true
  stdb server set-default test >/dev/null
}

# rust_toolchain prefers Debian's compiler, whose standard library for the target
# is built from its source: the newest crates ask for a newer compiler than many
# rustup toolchains are, and such a build may ignore that. Else it takes a toolchain
# that has the target. All crates share one folder for what they build, so that the
# standard library is built once.
rust_toolchain() {
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/.work/cargo}
  if [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -d /usr/lib/rustlib/src ]; then
    export PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19
    return 0
  fi
  if rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null | { read -r d && [ -d "$d" ]; }; then
    return 0
  fi
  echo "skipped: Rust modules: no compiler for wasm32-unknown-unknown (Debian: rustc-web cargo-web rust-web-src lld-19)"
  return 1
}

# Grammars check what no compiler is there for.
grammars() {
  local to=$root/.work/grammars
  [ -f "$to/node_modules/@vscode/tree-sitter-wasm/wasm/tree-sitter.js" ] && return
  mkdir -p "$to"
  npm install --prefix "$to" --no-package-lock --no-audit --no-fund --loglevel=error @vscode/tree-sitter-wasm@0.3.1 >"$to/log" 2>&1 && return
  echo "skipped: grammars: npm cannot install @vscode/tree-sitter-wasm: $(head -n 1 "$to/log")"
  return 1
}

parses() { node "$root/test/parse.mjs" "$root/.work/grammars/node_modules/@vscode/tree-sitter-wasm" "$@"; }

# Only what fails takes that long: a busy machine must not.
eventually() {
  local end=$((SECONDS + 120))
  while ! "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

check() {
  local what=$1
  shift
  if "$@" >"$work/check.log" 2>&1; then
    passed=$((passed + 1))
    echo "ok   $what"
    return 0
  fi
  failed=$((failed + 1))
  echo "FAIL $what"
  sed 's/^/     /' "$work/check.log" | tail -n "${CHECK_LINES:-40}"
  return 1
}

covers() { echo "covers: $*"; }

finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
}
