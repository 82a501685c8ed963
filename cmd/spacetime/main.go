// Command spacetime is the server and its command line.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/stdbgo/spacetime/internal/server"
)

func main() {
	fs := flag.NewFlagSet("start", flag.ExitOnError)
	listen := fs.String("listen-addr", "127.0.0.1:3000", "")
	data := fs.String("data-dir", "/tmp/sd", "")
	_ = fs.Parse(os.Args[2:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := server.Run(ctx, server.RunOptions{DataDir: *data, ListenAddr: *listen, KeyDir: *data, Version: "2.8.3", ExeName: "spacetime", ExePath: os.Args[0], Engines: engines, Stdin: os.Stdin, Stdout: os.Stdout, NonInteractive: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
