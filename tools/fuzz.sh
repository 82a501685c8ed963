#!/usr/bin/env bash
# Runs every fuzz target of the module, each for the given time (10s unless
# told). A finding stays below the package's testdata/fuzz: keep it as a test.
set -u
cd "$(dirname "$0")/.." || exit 1
time=${1:-10s}
failed=0 ran=0
for package in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz'); do
    echo "$package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" || failed=$((failed + 1))
    ran=$((ran + 1))
  done
done
echo "$((ran - failed)) passed, $failed failed"
[ $failed = 0 ]
