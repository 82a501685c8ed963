// Package native links a server into a module in Go: imported for its effect, it makes module.Main serve the module in
// the same process, where a debugger sees both. The file that imports it is left out of WebAssembly builds:
//
//	//go:build !wasip1
//
//	package main
//
//	import _ "github.com/stdbgo/spacetime/module/native"
//
// It owns the flags of such a program and what it prints. How a server works is the business of package spacetime.
package native

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stdbgo/spacetime"
	"github.com/stdbgo/spacetime/internal/guest"
)

func init() {
	guest.SetServe(func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
			if !errors.Is(err, flag.ErrHelp) {
				fmt.Fprintln(os.Stderr, "Error:", err)
			}
			os.Exit(1)
		}
	})
}

// options are the flags of a program.
type options struct {
	listen, data, name string
	memory             bool
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("module", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.listen, "listen", "127.0.0.1:3000", "serve on this `address`")
	f.StringVar(&o.data, "data", filepath.Join(".spacetime", "data"), "keep the database in this `folder`")
	f.StringVar(&o.name, "name", programName(), "publish the module under this `name`")
	f.BoolVar(&o.memory, "memory", false, "keep the database in memory: it begins anew with each start")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; see -help", f.Arg(0))
	}
	return o, nil
}

// programName is the last part of the program's import path, as a name of a database can be.
func programName() string {
	name := filepath.Base(os.Args[0])
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "command-line-arguments" {
		name = path.Base(info.Path)
	}
	return databaseName(name)
}

// databaseName makes lower-case letters, digits and single dashes of a name.
func databaseName(name string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if s := strings.TrimSuffix(b.String(), "-"); s != "" {
		return s
	}
	return "module"
}

// run serves the linked-in module until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -listen", err)
	}
	defer listener.Close()
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return err
	}
	db, err := spacetime.Open(o.data, spacetime.Options{InMemory: o.memory})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.PublishLinked(ctx, o.name, environment()); err != nil {
		var missing *spacetime.MissingEnvError
		if errors.As(err, &missing) {
			return fmt.Errorf("the module's environment variable %s has no value; set it in the environment of this program",
				strings.Join(missing.Names, ", "))
		}
		return err
	}
	srv := &http.Server{Handler: db, ReadHeaderTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()

	base := "http://" + dialable(listener.Addr())
	fmt.Fprintf(stdout, "Database %s runs in this process at %s; Ctrl-C stops it.\n", o.name, base)
	fmt.Fprintf(stdout, "  to query it: spacetime sql --anonymous -s %s %s \"SELECT * FROM …\"\n", base, o.name)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		if err := follow(ctx, base, db.Token(), o.name, stdout); err != nil {
			fmt.Fprintf(stderr, "The module's log is no longer shown here: %v\n", err)
		}
	}()

	select {
	case <-ctx.Done():
	case err = <-served:
	}
	err = errors.Join(err, srv.Close())
	<-followed
	return err
}

// environment returns the values that the environment of the program has for the variables of the module, as the command
// spacetime publish does.
func environment() spacetime.Env {
	values := spacetime.Env{}
	for _, name := range guest.Registered().(interface{ EnvironmentNames() []string }).EnvironmentNames() {
		if value, set := os.LookupEnv(name); set {
			values[name] = value
		}
	}
	return values
}

// dialable is how a listener is reached from this machine: one on all interfaces tells no address that can be dialled
// everywhere.
func dialable(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return a.String()
}

// follow prints the module's log until ctx ends.
func follow(ctx context.Context, base, token, name string, w io.Writer) error {
	asking, cancel := context.WithCancel(ctx) // ends after ctx, so what has ended is asked of that
	defer cancel()
	r, err := http.NewRequestWithContext(asking, http.MethodGet, base+"/v1/database/"+url.PathEscape(name)+"/logs?follow=true&num_lines=0", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var rec struct {
			Level, Filename, Message string
			Line                     uint32 `json:"line_number"`
		}
		if err := json.Unmarshal(lines.Bytes(), &rec); err != nil {
			return ignoreEnd(ctx, fmt.Errorf("module log: %w", err)) // it may be the beginning of a line
		}
		fmt.Fprintf(w, "%5s %s:%d: %s\n", strings.ToUpper(rec.Level), rec.Filename, rec.Line, rec.Message)
	}
	return ignoreEnd(ctx, lines.Err())
}

// ignoreEnd returns err unless it only says that ctx has ended.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
