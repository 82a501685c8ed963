package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/reeflective/readline"
)

// interact is the shell at a terminal.
func (s *shell) interact(ctx context.Context) error {
	s.banner()
	// The program's context ends with Ctrl-C. Here that ends a running command
	// only; what ends the shell are the other signals.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// Between two lines nobody waits for Ctrl-C, and the program's own handler serves
	// the first one only: the next would kill the shell, and its history with it.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, os.Interrupt)
	defer signal.Stop(ignored)
	s.names = newNameCache(s.api, s.id)
	if !s.editable() {
		return s.interactPlain(ctx)
	}
	editor := s.editor()
	history := openHistory(s.historyFile())
	if history.err != nil {
		fmt.Fprintln(s.Stderr, "No previous history.")
	}
	editor.History.Delete()
	editor.History.Add("statements", history)
	defer history.save()
	// The editor waits for keys and knows no contexts: press one.
	defer context.AfterFunc(ctx, func() {
		editor.Keys.Feed(false, '\x03')
		editor.Keys.RequestRefresh()
	})()
	for {
		s.names.refresh(ctx)
		line, err := editor.Readline()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, readline.ErrInterrupt), errors.Is(err, io.EOF):
			s.aborted()
			return nil
		case err != nil:
			return because(err, "the terminal cannot be read")
		}
		if s.interruptible(ctx, line) {
			return nil
		}
	}
}

// interactPlain is the shell at a terminal without cursor movement.
func (s *shell) interactPlain(ctx context.Context) error {
	for {
		fmt.Fprint(s.Stdout, s.prompt())
		line, err := s.waitLine(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF), errors.Is(err, context.Canceled):
			s.aborted()
			return nil
		case err != nil:
			return err
		}
		if s.interruptible(ctx, line) {
			return nil
		}
	}
}

// waitLine reads a line that Ctrl-C and the end of ctx interrupt. Then the shell
// ends, and the process with the goroutine that still reads.
func (s *shell) waitLine(ctx context.Context) (string, error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := s.nextLine()
		done <- read{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// interruptible executes a line that Ctrl-C ends.
func (s *shell) interruptible(ctx context.Context, line string) (leave bool) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	leave = s.execute(ctx, line)
	if ctx.Err() != nil {
		fmt.Fprintln(s.Stdout)
	}
	return leave
}

func (s *shell) banner() {
	const text = ".help shows commands, .exit leaves, .clear clears the screen"
	rule := strings.Repeat("─", len(text)+2)
	fmt.Fprintf(s.Stdout, "┌%s┐\n│ %s │\n└%s┘\n", rule, text, rule)
}

func (s *shell) aborted() {
	fmt.Fprintf(s.Stdout, "\n%s\n", paint(s.color(s.Stdout), "31", "Aborted!"))
}

func (s *shell) prompt() string {
	return paint(s.color(s.Stdout), "32", "🪐"+s.database+">")
}

func (s *shell) historyFile() string {
	const name = ".stdb.history.txt"
	if s.HomeDir == "" {
		return os.TempDir() + string(os.PathSeparator) + name
	}
	return s.HomeDir + string(os.PathSeparator) + name
}

// editor makes the line editor.
func (s *shell) editor() *readline.Shell {
	e := readline.NewShell()
	// Asking the terminal where its cursor is would wait for ever where nothing
	// answers.
	_ = e.Config.Set("cursor-position-probe", false)
	_ = e.Config.Set("history-autosuggest", true)
	// Letters like ü are letters, and not the Alt key with another one.
	_ = e.Config.Set("convert-meta", false)
	_ = e.Config.Set("output-meta", true)
	_ = e.Config.Set("enable-bracketed-paste", true)
	e.PasteTransformer = func(text string) string { return strings.TrimRight(text, "\n") }
	e.Prompt.Primary(s.prompt)
	e.Prompt.Secondary(func() string { return "" })
	e.AcceptMultiline = func(line []rune) bool {
		text := strings.TrimSpace(string(line))
		if text == "" || strings.HasPrefix(text, ".") {
			return true
		}
		return balanced(line) && (!s.lines || strings.HasSuffix(text, ";"))
	}
	if s.color(s.Stdout) {
		e.SyntaxHighlighter = func(line []rune) string { return highlight(string(line)) }
	}
	e.Completer = func(line []rune, cursor int) readline.Completions {
		word, values := s.names.complete(string(line[:min(cursor, len(line))]))
		c := readline.CompleteValues(values...)
		c.PREFIX = word
		return c
	}
	return e
}
