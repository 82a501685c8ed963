package vfs

import (
	"errors"
	"path/filepath"
)

// TempSuffix ends the names under which WriteFileAtomic prepares a file. A crash
// may leave one behind; it is safe to remove when nothing is being written.
const TempSuffix = ".tmp"

// WriteFileAtomic gives the file at path the content data, so that after a crash
// it is there either whole or as it was before, and is durable on return. The
// directory must exist. Two writers of one path must not run at once.
func WriteFileAtomic(fsys FS, path string, data []byte) error {
	temp := path + TempSuffix
	if err := writeSynced(fsys, temp, data); err != nil {
		return errors.Join(err, ignoreMissing(fsys.Remove(temp)))
	}
	if err := fsys.Rename(temp, path); err != nil {
		return errors.Join(err, ignoreMissing(fsys.Remove(temp)))
	}
	return fsys.SyncDir(filepath.Dir(path))
}

func writeSynced(fsys FS, name string, data []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
