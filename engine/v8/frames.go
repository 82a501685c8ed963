//go:build v8 && cgo

package v8

// #include "shim.h"
import "C"

import (
	"unsafe"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
)

// goFrames copies the frames of a result, as positions in the compiled text.
func goFrames(r *C.v8_result) []jshost.Frame {
	if r.frame_count == 0 {
		return nil
	}
	frames := make([]jshost.Frame, 0, r.frame_count)
	for _, f := range unsafe.Slice(r.frames, int(r.frame_count)) {
		frame := jshost.Frame{Function: goText(f.function),
			Position: jshost.Position{File: goText(f.file), Line: int(f.line), Column: int(f.column)}}
		switch {
		case f.constructor != 0:
			frame.Note = " (constructor)"
		case f.eval != 0:
			frame.Note = " (eval)"
		case f.wasm != 0:
			frame.Note = " (wasm)"
		}
		frames = append(frames, frame)
	}
	return frames
}
