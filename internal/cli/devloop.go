package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/stdbgo/spacetime/internal/build"
	"github.com/stdbgo/spacetime/internal/codegen"
)

// moduleDirs are the directories of all modules that are published, each once.
func (s *devSession) moduleDirs() []string {
	dirs := []string{}
	for _, job := range s.jobs {
		if job.wasmPath == "" && job.jsPath == "" && !slices.Contains(dirs, s.path(job.modulePath)) {
			dirs = append(dirs, s.path(job.modulePath))
		}
	}
	if len(dirs) == 0 {
		dirs = append(dirs, s.module)
	}
	return dirs
}

// round builds, generates and publishes once.
func (s *devSession) round(ctx context.Context) error {
	fmt.Fprintln(s.Stdout, "Building...")
	built := map[string]*build.Artifact{}
	for _, dir := range s.moduleDirs() {
		a, err := s.buildOne(ctx, dir)
		if err != nil {
			return err
		}
		built[dir] = a
	}
	fmt.Fprintln(s.Stdout, "Build complete!")
	if err := s.updateDotEnv(); err != nil {
		return err
	}
	if !s.o.skipGenerate {
		if err := s.generate(ctx, built[s.module]); err != nil {
			return err
		}
	}
	if s.o.skipPublish {
		return nil
	}
	fmt.Fprintln(s.Stdout, "Publishing...")
	for _, job := range s.jobs {
		if len(s.jobs) > 1 {
			fmt.Fprintf(s.Stdout, "Publishing to %s...\n", job.name)
		}
		one := *job
		one.built = built[s.path(job.modulePath)]
		if err := s.publishTo(ctx, s.project, &one); err != nil {
			return err
		}
	}
	fmt.Fprint(s.Stdout, "Published successfully!\n---\n")
	return nil
}

// buildOne builds one module for all databases that it is published to.
func (s *devSession) buildOne(ctx context.Context, dir string) (*build.Artifact, error) {
	o := &publishOptions{dotnet: s.o.dotnet}
	for _, job := range s.jobs {
		if s.path(job.modulePath) == dir {
			o = job
			break
		}
	}
	if s.types[dir] == nil {
		s.types[dir] = &build.TypeChecker{Colors: s.color(s.Stderr)}
	}
	return s.buildModule(ctx, dir, &publishOptions{dotnet: o.dotnet, buildOptions: o.buildOptions, types: s.types[dir]})
}

// updateDotEnv tells a TypeScript client where its database is.
func (s *devSession) updateDotEnv() error {
	lang := languageNames[s.o.clientLang]
	if lang == "" {
		lang, _ = detectClient(s.dir)
	}
	if module, err := build.Detect(s.module); lang != codegen.TypeScript && (s.o.clientLang != "" || err != nil || module != build.TypeScript) {
		return nil
	}
	path := filepath.Join(s.dir, ".env.local")
	fmt.Fprintf(s.Stdout, "Updating .env.local with database name %s...\n", s.database())
	if _, err := writeDotEnv(path, s.database(), s.entry.url()); err != nil {
		return because(err, "%s cannot be written", path)
	}
	return nil
}

// loop goes on after the first round until ctx ends: a round for what w sees.
func (s *devSession) loop(ctx context.Context, w *fileWatcher) error {
	if !s.o.skipPublish {
		for _, job := range s.jobs {
			go s.follow(ctx, job)
		}
	}
	if err := s.startClient(ctx); err != nil {
		return err
	}
	for w.settled(ctx) {
		fmt.Fprintln(s.Stdout, "File change detected, rebuilding...")
		err := s.round(ctx)
		if ctx.Err() != nil {
			break
		}
		var exit *build.ExitError
		switch {
		case err == nil:
			continue
		case errors.As(err, &exit): // the tool has said why
		default:
			fmt.Fprint(s.Stderr, formatError(err))
		}
		fmt.Fprintln(s.Stderr, "Waiting for next change...")
	}
	fmt.Fprintln(s.Stdout, "\nStopping development mode.")
	return nil
}

// reconnectAfter is how long a log that has ended rests.
const reconnectAfter = 10 * time.Second

// follow prints what is added to a database's log.
func (s *devSession) follow(ctx context.Context, job *publishOptions) {
	f := &logFollower{run: s.run, options: &logOptions{color: s.color(s.Stdout), brief: true}}
	if len(s.jobs) > 1 {
		f.prefix = "[" + job.name + "] "
	}
	for ctx.Err() == nil {
		err := f.follow(ctx, job)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the server has ended the stream")
		}
		fmt.Fprintf(s.Stderr, "Error: Log streaming error: %s\nReconnecting in 10 seconds...\n", err)
		select {
		case <-time.After(reconnectAfter):
		case <-ctx.Done():
		}
	}
}

// A logFollower prints each record of a log once, though it may connect anew.
type logFollower struct {
	run     *run
	options *logOptions
	prefix  string
	last    int64 // the time of the last record
}

func (f *logFollower) follow(ctx context.Context, job *publishOptions) error {
	t := target{server: job.server, anonymous: job.anonymous}
	a, err := f.run.connect(ctx, &t)
	if err != nil {
		return err
	}
	id, err := a.identityOf(ctx, job.name)
	if err != nil {
		return err
	}
	begin := f.last
	return a.eachLogLine(ctx, id, "10", true, func(line string) error {
		text, at := f.options.formatAt(line)
		if at != 0 && at <= begin {
			return nil // it has been there before the connection was lost
		}
		f.last = max(f.last, at)
		if text != "" {
			text = f.prefix + text
		}
		_, err := io.WriteString(f.run.Stdout, text)
		return err
	})
}
