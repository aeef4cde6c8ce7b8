#!/usr/bin/env bash
# Fails when the committed *.pb.go files are not what the .proto files make: one is stale, missing, or left over. Changes nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
tools/generate.sh "$fresh"

failed=0
while IFS= read -r file; do
	[ -e "$file" ] || [ -e "$fresh/$file" ] || continue # deleted, but still in the index
	if ! diff -uN --label "$file, as it is" --label "$file, as it should be" -- "$file" "$fresh/$file"; then
		failed=1
	fi
done < <({ git ls-files --cached --others --exclude-standard -- '*.pb.go' && (cd "$fresh" && find . -name '*.pb.go' | sed 's|^\./||'); } | sort -u)
if [ "$failed" -ne 0 ]; then
	echo "generated code differs from its .proto files; run: make generate" >&2
	exit 1
fi
