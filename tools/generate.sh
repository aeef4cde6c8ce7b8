#!/usr/bin/env bash
# Makes the Go code of all .proto files, beside each of them, or under DIR when that is given. Needs protoc 3.21 or newer and nothing from
# the net: the generator is built from the protobuf module that go.mod names, so that generated code and runtime have one version.
#
#   tools/generate.sh [DIR]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
into=${1:-.}

if ! command -v protoc >/dev/null; then
	echo "protoc is missing; install it (Debian: protobuf-compiler, Homebrew: protobuf)" >&2
	exit 1
fi

go=${GO:-go}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$go" build -o "$scratch/" google.golang.org/protobuf/cmd/protoc-gen-go

files=()
while IFS= read -r file; do
	[ -f "$file" ] && files+=("$file")
done < <(git ls-files --cached --others --exclude-standard -- '*.proto')
[ ${#files[@]} -gt 0 ] || exit 0

# protoc may come without protobuf's own files, so these are taken from the Go module, too.
"$go" run ./internal/wellknown >"$scratch/wellknown.pb"

# What users import lies under proto/, and is named from there.
mkdir -p "$scratch/out" "$into"
protoc --plugin="protoc-gen-go=$scratch/protoc-gen-go" --descriptor_set_in="$scratch/wellknown.pb" --proto_path=proto --proto_path=. --go_out="$scratch/out" --go_opt=paths=source_relative "${files[@]}"

# The line with protoc's own version goes: the code is the same from any of them, and should look so.
for file in "${files[@]}"; do
	made=${file%.proto}.pb.go
	mkdir -p "$into/$(dirname "$made")"
	sed '/^\/\/ \tprotoc  /d' "$scratch/out/${made#proto/}" >"$into/$made"
done
