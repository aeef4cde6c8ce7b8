//go:build never

package wycheproof

import _ "github.com/c2sp/wycheproof" // keeps its version and checksum in go.mod; see doc.go
