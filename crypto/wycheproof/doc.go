// Package wycheproof holds the cipher of package crypto against Project Wycheproof's vectors of AES-GCM (github.com/C2SP/wycheproof): forged and
// truncated tags, special counters, and what else implementations were found to get wrong.
//
// It has only tests, and is a module of its own, because the vectors come as a Go module of 100 MB that no user of Muster should download. That module
// embeds all its files, so a program that imports it has 100 MB, too; the tests ask the go command where it lies and read the one file they need.
package wycheproof
