package main

import (
	"fmt"
	"strings"
)

// applyPatch applies a unified diff to files. Every line that the diff keeps or
// takes away must stand exactly where it says; otherwise the error names the
// file and the line, and files is not to be used.
func applyPatch(files map[string]string, diff string) error {
	var f patched
	for line := range strings.Lines(diff) {
		ok := true
		switch {
		case strings.HasPrefix(line, "diff --git "), strings.HasPrefix(line, "index "), strings.HasPrefix(line, "+++ "):
		case strings.HasPrefix(line, "--- a/"):
			f.finish(files)
			name := strings.TrimSpace(line[len("--- a/"):])
			text, found := files[name]
			if !found {
				return fmt.Errorf("%s: the patch changes it, the module has no such file", name)
			}
			f = patched{name: name, in: strings.SplitAfter(text, "\n")}
		case f.name == "":
			return fmt.Errorf("the patch begins with %q, want a file name", line)
		case strings.HasPrefix(line, "@@ "):
			ok = f.skipTo(line)
		case line[0] == '+':
			f.out = append(f.out, line[1:])
		case line[0] == '-':
			_, ok = f.take(line[1:])
		case line[0] == ' ':
			var kept string
			kept, ok = f.take(line[1:])
			f.out = append(f.out, kept)
		default:
			ok = false
		}
		if !ok {
			return fmt.Errorf("%s:%d: the patch does not match at %q", f.name, f.done+1, line)
		}
	}
	f.finish(files)
	return nil
}

// A patched is a file while the diff runs over it.
type patched struct {
	name string
	in   []string // lines not yet reached, with their ends
	out  []string // lines of the result
	done int      // how many lines of the original have been reached
}

// skipTo keeps everything before the line that a hunk's header names.
func (f *patched) skipTo(header string) bool {
	var start int
	if _, err := fmt.Sscanf(header, "@@ -%d", &start); err != nil {
		return false
	}
	n := start - 1 - f.done
	if n < 0 || n > len(f.in) {
		return false
	}
	f.out = append(f.out, f.in[:n]...)
	f.in, f.done = f.in[n:], f.done+n
	return true
}

// take removes the next line of the original, which must be want.
func (f *patched) take(want string) (string, bool) {
	if len(f.in) == 0 || f.in[0] != want {
		return "", false
	}
	f.in, f.done = f.in[1:], f.done+1
	return want, true
}

// finish puts the result into files.
func (f *patched) finish(files map[string]string) {
	if f.name != "" {
		files[f.name] = strings.Join(append(f.out, f.in...), "")
	}
}
