package sql

import (
	"fmt"
	"strings"
)

// A Pos is a place in a statement's text. Lines and columns count from 1,
// columns in characters. The zero Pos is "no place known".
type Pos struct{ Line, Column int }

// String is the form that follows an error text: "at Line: 1, Column 8".
func (p Pos) String() string { return fmt.Sprintf("at Line: %d, Column %d", p.Line, p.Column) }

// An Error is a refused statement. Error gives the exact text of spec 07 §26,
// which tools and tests match on; Detail adds what helps a person.
type Error struct {
	Pos        Pos    // where in the text; zero if the text as a whole is meant
	Msg        string // the text of spec 07 §26
	Suggestion string // nearest name the caller may read, or what to write instead; may be empty
}

func (e *Error) Error() string { return e.Msg }

// Detail is the message followed by its hints: the place, unless the message
// names one already, and the suggestion (spec 07 §34.12).
func (e *Error) Detail() string {
	if h := e.Hint(); h != "" {
		return e.Msg + " " + h
	}
	return e.Msg
}

// Hint is what Detail adds to the message; it may be empty.
func (e *Error) Hint() string {
	var parts []string
	if e.Pos != (Pos{}) && !strings.Contains(e.Msg, " at Line: ") {
		parts = append(parts, e.Pos.String())
	}
	if e.Suggestion != "" {
		parts = append(parts, e.Suggestion)
	}
	return strings.Join(parts, " ")
}

// A QueryError is the failure of one query among several of a call. Its text
// names the query, as subscribers are told (spec 07 §26.3).
type QueryError struct {
	SQL string
	Err error
}

func (e *QueryError) Error() string { return e.Err.Error() + ", executing: `" + e.SQL + "`" }
func (e *QueryError) Unwrap() error { return e.Err }

func unsupported(p Pos, what, text string) *Error {
	return &Error{Pos: p, Msg: what + ": " + text}
}
