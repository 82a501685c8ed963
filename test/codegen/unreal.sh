# Unreal bindings: generated for every generation of the plugin, and compiled
# against a stand-in for Unreal and the plugin (unreal/stub.h), which are neither
# to be had here: that checks the code, not what the plugin makes of it.
# shellcheck shell=bash disable=SC2154  # sourced by run, which sets here, root, work
unreal_bindings() { # SDK MODULE PREFIX
  local dir=$work/unreal-$1/$2$3
  mkdir -p "$dir"
  [ -f "$dir/Game.uproject" ] || echo '{ "FileVersion": 3 }' >"$dir/Game.uproject"
  stdb generate --lang unrealcpp --sdk-version "$1" --module-def "$modules/$2.json" --uproject-dir "$dir" --unreal-module-name Game ${3:+--module-prefix "$3"} --yes
}

# unreal_stubs DIR PREFIX writes the headers that the bindings in DIR include and
# that Unreal, its header tool and the plugin would bring.
unreal_stubs() {
  local public=$1/Source/Game/Public stubs=$1/stubs header
  rm -rf "$stubs"
  grep -rhoE '^#include "[^"]+"' "$1/Source/Game" | sed 's/.*"\(.*\)"/\1/' | sort -u | while read -r header; do
    case $header in
    ModuleBindings/* | Game.h) continue ;;
    esac
    mkdir -p "$stubs/$(dirname "$header")"
    case $header in
    *.generated.h) echo "struct F$2EventContext;" >"$stubs/$header" ;; # the header tool declares what delegates name
    *) echo "#include \"$here/unreal/stub.h\"" >"$stubs/$header" ;;
    esac
  done
  [ -d "$public" ]
}

unreal_compiles() { # DIR PREFIX
  local file
  unreal_stubs "$1" "$2" || return
  find "$1/Source/Game/Private" -name '*.cpp' | sort | while read -r file; do echo "#include \"$file\""; done >"$1/all.cpp"
  g++ -std=c++20 -fsyntax-only -Wall -Wno-unused-parameter -DGAME_API= -I "$1/Source/Game/Public" -I "$1/stubs" "$1/all.cpp"
}

# unreal_user compiles what users write, after unreal_compiles.
unreal_user() { # DIR
  g++ -std=c++20 -fsyntax-only -Wall -Wno-unused-parameter -DGAME_API= -I "$1/Source/Game/Public" -I "$1/stubs" "$here/unreal/user.cpp"
}

unreal_suite() {
  local sdk module
  for sdk in 1.9.0 1.12.0 2.0.1 2.1.0 2.14.0; do
    for module in chat wide empty; do
      check "Unreal bindings of $module for plugin $sdk are generated" unreal_bindings "$sdk" "$module" "" || continue
      if ! command -v g++ >/dev/null; then
        echo "skipped: compiling the Unreal bindings: no g++"
        continue
      fi
      check "Unreal bindings of $module for plugin $sdk compile" unreal_compiles "$work/unreal-$sdk/$module" "" && [ $module = wide ] && covers 10.26
    done
  done
  command -v g++ >/dev/null && check "what users write compiles with the Unreal bindings" unreal_user "$work/unreal-2.14.0/wide"
  check "Unreal bindings with a prefix are generated" unreal_bindings 2.14.0 chat Net &&
    check "Unreal bindings with a prefix compile" unreal_compiles "$work/unreal-2.14.0/chatNet" Net
}
unreal_suite
