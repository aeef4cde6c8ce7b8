//go:build !mutant

package mutant

const planted = "" // the code as it is
