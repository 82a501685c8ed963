package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	filePerm = 0o600
	dirPerm  = 0o700
)

// OS is the file system of the operating system.
type OS struct{}

var _ FS = OS{}

func openOS(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, filePerm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (OS) Open(name string) (File, error)   { return openOS(name, os.O_RDONLY) }
func (OS) OpenRW(name string) (File, error) { return openOS(name, os.O_RDWR) }
func (OS) Create(name string) (File, error) {
	return openOS(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}
func (OS) OpenAppend(name string) (File, error) {
	return openOS(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
}

func (OS) Rename(oldName, newName string) error       { return os.Rename(oldName, newName) }
func (OS) Remove(name string) error                   { return os.Remove(name) }
func (OS) RemoveAll(name string) error                { return os.RemoveAll(name) }
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (OS) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }
func (OS) SyncDir(name string) error                  { return syncDir(name) }
func (OS) Lock(name string) (io.Closer, error)        { return lockFile(name) }

// MkdirAll creates parents first and syncs the directory that holds each new one,
// and that which holds the deepest old one: whoever made it may have died before
// syncing.
func (o OS) MkdirAll(name string) error {
	if info, err := os.Stat(name); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: name, Err: errors.New("a file of this name is in the way")}
		}
		if err := syncDir(filepath.Dir(name)); !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil // others made it, and we may not even look there
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(name)
	if parent != name {
		if err := o.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(name, dirPerm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

type osFile struct{ *os.File }

func (f osFile) SyncData() error { return syncData(f.File) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
