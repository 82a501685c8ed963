package spacetime

import (
	"embed"
	"io/fs"
	"strings"
)

// Whole folders, so that no file can be forgotten; SDK leaves out what only tests need.
//
//go:embed go.mod go.sum LICENSE *.go client engine internal module sats
var source embed.FS

// SDK returns the source of this Go module without tests and test data: packages module and sats build with it
// alone, what runs natively needs the third-party modules of its go.mod besides.
func SDK() fs.FS { return sdk{} }

type sdk struct{}

// left reports whether SDK leaves a file or folder out.
func left(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "testdata" {
			return true
		}
	}
	return strings.HasSuffix(name, "_test.go")
}

func (sdk) Open(name string) (fs.File, error) {
	if fs.ValidPath(name) && left(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := source.Open(name)
	if dir, ok := f.(fs.ReadDirFile); ok {
		return folder{dir}, nil
	}
	return f, err
}

// ReadDir implements fs.ReadDirFS.
func (sdk) ReadDir(name string) ([]fs.DirEntry, error) {
	if fs.ValidPath(name) && left(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	list, err := source.ReadDir(name)
	return kept(list), err
}

func kept(list []fs.DirEntry) []fs.DirEntry {
	keep := list[:0:0]
	for _, e := range list {
		if !left(e.Name()) {
			keep = append(keep, e)
		}
	}
	return keep
}

// A folder lists what is kept.
type folder struct{ fs.ReadDirFile }

func (f folder) ReadDir(n int) ([]fs.DirEntry, error) {
	for {
		list, err := f.ReadDirFile.ReadDir(n)
		keep := kept(list)
		if n <= 0 || err != nil || len(keep) > 0 {
			return keep, err
		}
	}
}
