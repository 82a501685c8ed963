package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/vfs"
)

const (
	segmentSuffix = ".stdb.log"
	indexSuffix   = ".stdb.ofs" // advisory index of other servers; neither read nor written
	tornSuffix    = ".torn"     // appended to the name of a segment that was set aside
	offsetDigits  = 20
)

func segmentName(min Offset) string { return fmt.Sprintf("%0*d%s", offsetDigits, min, segmentSuffix) }

// parseOffsetName returns the offset in a name of 20 digits and a suffix.
func parseOffsetName(name, suffix string) (Offset, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != offsetDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return Offset(n), err == nil
}

// listOffsets returns the offsets of a directory's files with a suffix,
// ascending.
func listOffsets(fsys vfs.FS, dir, suffix string) ([]Offset, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []Offset
	for _, e := range entries {
		if off, ok := parseOffsetName(e.Name(), suffix); ok && !e.IsDir() {
			list = append(list, off)
		}
	}
	slices.Sort(list)
	return list, nil
}

// createSegment creates an empty segment, durably, and opens it for writing. A
// file of that name that holds anything is an error, unless replace is set.
func createSegment(fsys vfs.FS, dir string, min Offset, replace bool) (vfs.File, error) {
	path := filepath.Join(dir, segmentName(min))
	info, err := fsys.Stat(path)
	switch {
	case err == nil && info.Size() > 0 && !replace:
		return nil, &fs.PathError{Op: "create segment", Path: path, Err: fs.ErrExist}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := vfs.WriteFileAtomic(fsys, path, segmentHeader()); err != nil {
		return nil, err
	}
	return fsys.OpenRW(path)
}

// setAside renames a segment whose first commit is torn, so that its name is
// free; the bytes stay for whoever wants to look.
func setAside(fsys vfs.FS, dir string, min Offset) (newName string, err error) {
	path := filepath.Join(dir, segmentName(min))
	for i := 0; ; i++ {
		newName = path + tornSuffix
		if i > 0 {
			newName += strconv.Itoa(i)
		}
		if _, err := fsys.Stat(newName); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", err
		}
	}
	if err := fsys.Rename(path, newName); err != nil {
		return "", err
	}
	return newName, fsys.SyncDir(dir)
}
