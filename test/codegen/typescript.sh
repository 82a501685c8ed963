# TypeScript: the bindings of every module of this test for every release of the SDK where the output or the SDK
# changes, type-checked strictly, run against the stub of the vectors, and against our server with a real module.
# shellcheck shell=bash
ts_releases="1.6.2 1.7.0 1.10.0 1.11.3 1.12.0 2.0.1 2.1.0 2.2.0 2.4.1 2.8.3 2.10.1"
ts=$root/.work/codegen-typescript # the packages stay there from run to run
out=$work/typescript

# ts_install puts the packages in place, unless they are there.
ts_install() {
  mkdir -p "$ts" || return
  cp "$here"/typescript/*.mjs "$vectors/harness/stub.mjs" "$ts/" || return
  cmp -s "$here/typescript/package.json" "$ts/installed.json" && return
  cp "$here/typescript/package.json" "$ts/package.json"
  (cd "$ts" && npm install --no-package-lock --no-audit --no-fund --loglevel=error) && cp "$here/typescript/package.json" "$ts/installed.json"
}

# ts_program MODULE RELEASE is the vectors' program for a module, or ours for the server.
ts_program() {
  local generation=2.x
  case $2 in
  1.[4-8].*) generation=1.6 ;;
  1.12.*) generation=1.12 ;;
  1.*) generation=1.10 ;;
  esac
  if [ "$generation" = 1.6 ]; then
    echo "$here/typescript/$1-$generation.app.ts"
    return
  fi
  case $1 in
  live) [ "$generation" = 2.x ] || generation=1.x; echo "$here/typescript/live-$generation.ts" ;;
  *) echo "$vectors/harness/$1-$generation.app.ts" ;;
  esac
}

# ts_generate writes the bindings of all modules for all releases.
ts_generate() {
  local release module dir
  for release in $ts_releases; do
    for module in chat alltypes odd empty live; do
      dir=$out/$module-$release
      mkdir -p "$dir"
      if [ $module = live ]; then
        stdb generate --lang typescript --sdk-version "$release" --out-dir "$dir/module_bindings" --js-path "$1" || return
      else
        stdb generate --lang typescript --sdk-version "$release" --out-dir "$dir/module_bindings" --module-def "$modules/$module.json" || return
      fi
      cp "$here/typescript/common.ts" "$dir/" || return
      if [ -f "$(ts_program $module "$release")" ]; then cp "$(ts_program $module "$release")" "$dir/app.ts" || return; fi
    done
  done
}

# ts_committed: the bindings that stand in the repository are what the command writes.
ts_committed() {
  local dir version module=$root/examples/chat/module
  for dir in examples/chat/web/module_bindings:2 test/sdk/bindings-2.x:2 test/sdk/bindings-1.12:1; do
    version=${dir##*:} dir=${dir%:*}
    stdb generate --yes --lang typescript --sdk-version "$version" --module-path "$module" --out-dir "$root/$dir" >"$work/committed.log" 2>&1 || { cat "$work/committed.log"; return 1; }
    ! grep 'Writing file\|deleted' "$work/committed.log" || { echo "$dir was not up to date; it is now"; return 1; }
  done
}

# ts_again generates once more: nothing may be written.
ts_again() {
  touch "$work/before"
  sleep 0.1
  ts_generate "$1" >"$work/again.log" || return
  ! grep 'Writing file' "$work/again.log" && [ -z "$(find "$out" -path '*module_bindings*' -newer "$work/before" -type f)" ]
}

ts_lines() { # LOG counts the lines "ok NAME" and "not ok NAME" of a program
  local p f
  p=$(grep -c '^ok ' "$1") f=$(grep -c '^not ok ' "$1")
  [ "$p" -gt 0 ] || f=$((f + 1))
  grep '^ok ' "$1"
  [ "$f" = 0 ] || grep -v '^ok ' "$1" | head -n 60
  passed=$((passed + p)) failed=$((failed + f))
  [ "$f" = 0 ]
}

ts_test() {
  check "npm packages of the SDKs" ts_install || return
  local module=$work/module
  cp -r "$here/module" "$module"
  mkdir -p "$module/node_modules/.bin"
  ln -s "$ts/node_modules/sdk-2.10.1" "$module/node_modules/spacetimedb"
  check "build the module" stdb build --project-path "$module" || return
  check "generate for every release" ts_generate "$module/dist/bundle.js" || return
  check "generate again: nothing is written" ts_again "$module/dist/bundle.js" && covers 10.1 09.78

  check "the repository's own bindings are up to date" ts_committed

  cd "$ts" || return
  node check.mjs "$out" >"$work/check.log" 2>&1
  ts_lines "$work/check.log" && covers 10.7 10.12 10.13
  node vectors.mjs "$out" "$vectors" >"$work/vectors.log" 2>&1
  ts_lines "$work/vectors.log" && covers 10.9 10.10 10.11 10.15

  start_server
  use_server
  check "publish the module" stdb publish --yes --js-path "$module/dist/bundle.js" codegen-live || return
  node live.mjs "$out" "$uri" codegen-live >"$work/live.log" 2>&1
  ts_lines "$work/live.log" && covers 10.14
  check "generate from the directory" stdb generate --lang ts --sdk-version 2 -p "$module" -o "$work/built" &&
    check "the same as from the file" diff -r "$work/built" "$out/live-2.10.1/module_bindings"
  check "generate from the database" stdb generate --lang ts --sdk-version 2 --from-database codegen-live -o "$work/fetched" &&
    check "files as from the module" diff <(cd "$work/built" && find . -type f | sort) <(cd "$work/fetched" && find . -type f | sort)
  stop_server
}
ts_test
