// Package jshost holds what the engines for JavaScript have in common (spec 04): preparing a program's text, source maps and
// stack traces, the bounds of a call, names and texts of the interface to modules, and the library that every module finds.
//
// It knows no engine. What it returns can be shared by all instances of a program, but for a Meter, which is one instance's.
package jshost
