//go:build !race

package jstest

const raced = false
