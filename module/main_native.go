//go:build !wasip1

package module

import (
	"fmt"
	"os"

	"github.com/stdbgo/spacetime/internal/guest"
)

// Main is what the main function of a module calls. In WebAssembly it never runs. Natively it is a server with this
// module in it, provided that a file of the program links it in:
//
//	//go:build !wasip1
//
//	package main
//
//	import _ "github.com/stdbgo/spacetime/module/native"
func Main() {
	if !guest.Serve() {
		fmt.Fprintln(os.Stderr, "This program is a database module. Publish it with: spacetime publish\n"+
			"To run it here, with a server in the same process, add the file native.go:\n\n"+
			"\t//go:build !wasip1\n\n\tpackage main\n\n\timport _ \"github.com/stdbgo/spacetime/module/native\"")
		os.Exit(1)
	}
}
