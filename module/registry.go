package module

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/stdbgo/spacetime/internal/guest"
)

// A registry is a module while it is put together: what package variables and init functions declare. Definition
// seals it; then it only is read.
type registry struct {
	tables    []*tableDef
	indexes   []*indexDef
	functions []*functionDef // reducers
	views     [2][]*viewDef  // those with a sender, and anonymous ones: each kind has numbers of its own
	procs     []*procedureDef
	handlers  []*handlerDef
	env       []*EnvVar
	filters   []string          // rules of row-level security
	names     map[string]string // kinds of the functions by name
	problems  []string

	once       sync.Once
	sealed     bool
	definition []byte
	err        error
}

// std is the module of this program.
var std = new(registry)

func init() { guest.Register(std) }

// problem notes a mistake, to be reported together with all others.
func (r *registry) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// open panics if it is too late to declare something.
func (r *registry) open(call string) {
	if r.sealed {
		panic("module: " + call + " was called while the module runs; declare tables, indexes and functions " +
			"in package variables or init functions")
	}
}

// guard makes a problem of a panic of fn.
func (r *registry) guard(call string, fn func()) {
	r.open(call)
	defer func() {
		if p := recover(); p != nil {
			r.problem("%s", reworded(fmt.Sprint(p)))
		}
	}()
	fn()
}

// reworded makes a text of package sats one about this package, which has the same names.
func reworded(text string) string {
	text = strings.TrimPrefix(text, "sats: ")
	return strings.ReplaceAll(text, "sats.", "module.")
}

// Definition checks everything that was declared and returns the module definition. It does so once.
func (r *registry) Definition() ([]byte, error) {
	r.once.Do(func() {
		r.sealed = true
		r.definition = r.define()
		switch problems := distinct(r.problems); len(problems) {
		case 0:
		case 1:
			r.err = errors.New("the module is not right: " + problems[0])
		default:
			r.err = fmt.Errorf("%d things are not right in the module:\n  %s", len(problems), strings.Join(problems, "\n  "))
		}
	})
	return r.definition, r.err
}

// distinct returns the texts without repetitions: a wrong type is met wherever it is used.
func distinct(texts []string) (once []string) {
	for _, text := range texts {
		if !slices.Contains(once, text) {
			once = append(once, text)
		}
	}
	return once
}

// Instantiate makes an instance of the module.
func (r *registry) Instantiate(h guest.Host) guest.Instance {
	if _, err := r.Definition(); err != nil {
		panic("module: " + err.Error())
	}
	return newInstance(r, h)
}

// nameProblem says why s cannot name something, "" if it can. The host knows the exact rule (spec 02 §5.1).
func nameProblem(s string) string {
	if s == "" {
		return "is empty"
	}
	for i, c := range s {
		if c != '_' && !unicode.IsLetter(c) && (i == 0 || !unicode.IsDigit(c) && !unicode.IsMark(c)) {
			return fmt.Sprintf("has the character %q at a place where only letters, digits and _ may stand, with no digit in front", c)
		}
	}
	return ""
}
