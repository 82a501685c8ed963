# C# bindings: generated for every generation of the SDK, and compiled with the
# newest where .NET is installed; else their grammar is checked.
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

csharp_suite() {
  local sdk
  for sdk in 1.9.0 1.12.0 2.0.1 2.8.3; do
    check "C# bindings for SDK $sdk are generated" csharp_bindings "$sdk"
  done
  if ! command -v dotnet >/dev/null; then
    echo "skipped: compiling the C# bindings: .NET is not installed"
    grammars && check "the C# bindings are C# by its grammar" csharp_parses
    return
  fi
  check "the C# bindings compile with SDK 2.8.3" csharp_project 2.8.3
}
csharp_suite
