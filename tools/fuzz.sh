#!/usr/bin/env bash
# Runs every fuzz target for FUZZTIME (20s), one after the other; the tests of a package are built once. What is found stays in testdata/fuzz, and is a
# test from then on. With arguments: only targets whose names they are a part of.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${FUZZTIME:-20s}
only=${*:-.}
cache=$(go env GOCACHE)/fuzz/muster
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=()
while read -r package; do
	mapfile -t targets < <(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$package"/*_test.go | cut -c 6- | grep -E "${only// /|}" || true)
	if [ ${#targets[@]} -eq 0 ]; then
		continue
	fi
	go test -c -fuzz=Fuzz -o "$work/fuzz.test" "./$package"
	for target in "${targets[@]}"; do
		echo "=== $package $target"
		mkdir -p "$cache/$package"
		(cd "$package" && "$work/fuzz.test" -test.run='^$' -test.fuzz="^$target\$" -test.fuzztime="$time" -test.fuzzcachedir="$cache/$package" | tail -n 3) ||
			failed+=("$package $target")
	done
done < <(git ls-files '*_test.go' | xargs grep -lE '^func Fuzz' | xargs -n 1 dirname | sort -u)
if [ ${#failed[@]} -gt 0 ]; then
	printf 'FAILED: %s\n' "${failed[@]}"
	exit 1
fi
