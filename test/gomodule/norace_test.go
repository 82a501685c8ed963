//go:build !race

package main

const skipWasm = false
