package cli

import (
	"errors"
	"fmt"
	"strings"
)

// A failure is an error as the command line prints it: what happened, and below
// it why.
type failure struct {
	msg    string
	causes []string
	code   int    // HTTP status behind it, 0 if none
	hint   string // where the fault is and what may have been meant; for people at a terminal
	err    error

	unreachable bool // there was no answer; the causes say why
}

func (f *failure) Error() string {
	return strings.Join(append([]string{f.msg}, f.causes...), ": ")
}

func (f *failure) Unwrap() error { return f.err }

// fail makes a failure without causes.
func fail(format string, args ...any) error { return &failure{msg: fmt.Sprintf(format, args...)} }

// because wraps err: msg happened, err is why.
func because(err error, format string, args ...any) error {
	out := &failure{msg: fmt.Sprintf(format, args...), err: err}
	var f *failure
	if errors.As(err, &f) {
		out.causes = append([]string{f.msg}, f.causes...)
		out.code = f.code
		out.hint = f.hint
	} else {
		out.causes = []string{err.Error()}
	}
	return out
}

// withHint adds a hint to a failure.
func withHint(err error, hint string) error {
	var f *failure
	if hint == "" || !errors.As(err, &f) {
		return err
	}
	hinted := *f
	hinted.hint = hint
	return &hinted
}

// hintOf returns the hint of a failure as a line, or "".
func hintOf(err error) string {
	var f *failure
	if errors.As(err, &f) && f.hint != "" {
		return "Hint: " + f.hint + "\n"
	}
	return ""
}

// formatError renders an error for the error stream (spec 09 §2.4).
func formatError(err error) string {
	var f *failure
	if !errors.As(err, &f) {
		return "Error: " + err.Error() + "\n"
	}
	var b strings.Builder
	b.WriteString("Error: " + f.msg + "\n")
	if len(f.causes) > 0 {
		b.WriteString("\nCaused by:\n")
	}
	for i, c := range f.causes {
		indent := "    "
		if len(f.causes) > 1 {
			fmt.Fprintf(&b, "%5d: ", i)
			indent = "       "
		} else {
			b.WriteString(indent)
		}
		b.WriteString(strings.ReplaceAll(c, "\n", "\n"+indent) + "\n")
	}
	return b.String()
}
