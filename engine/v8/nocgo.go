//go:build v8 && !cgo

package v8

// The tag v8 asks for an engine that is written in C++.
var _ = theTagV8NeedsCGO_ENABLED1
