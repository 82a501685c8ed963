//go:build !wasip1

package main

import _ "github.com/stdbgo/spacetime/module/native"
