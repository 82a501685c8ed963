package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/vfs"
)

// A Replica is the files of one replica, looked at while no server has them open.
// Nothing is changed.
type Replica struct {
	ID   uint64
	Dir  string
	fs   vfs.FS
	lock io.Closer // nil if there is no lock file
}

// Replicas lists the replicas of a data directory, by id.
func Replicas(fsys vfs.FS, dataDir string) ([]uint64, error) {
	entries, err := fsys.ReadDir(filepath.Join(dataDir, replicasDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []uint64
	for _, e := range entries {
		if id, err := strconv.ParseUint(e.Name(), 10, 64); err == nil && e.IsDir() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, err
}

// OpenReplica opens the files of a replica. One that a server has open is refused
// with an error that wraps [vfs.ErrLocked].
func OpenReplica(fsys vfs.FS, dataDir string, id uint64) (*Replica, error) {
	r := &Replica{ID: id, fs: fsys, Dir: filepath.Join(dataDir, replicasDir, strconv.FormatUint(id, 10))}
	if _, err := fsys.Stat(r.Dir); err != nil {
		return nil, err
	}
	lock := filepath.Join(r.Dir, lockFile)
	if _, err := fsys.Stat(lock); errors.Is(err, fs.ErrNotExist) {
		return r, nil // nobody ever opened it
	}
	var err error
	if r.lock, err = fsys.Lock(lock); errors.Is(err, fs.ErrPermission) {
		err = nil // on media that nobody can write to
	}
	return r, err
}

// Close gives the files free.
func (r *Replica) Close() error {
	if r.lock == nil {
		return nil
	}
	return r.lock.Close()
}

// An Inspection is what the files of a replica hold and what is wrong with them.
type Inspection struct {
	Segments    []commitlog.SegmentInfo
	Checkpoints []CheckpointInfo
	First, Next uint64 // transactions that the log holds: First to Next-1
	Torn        error  // what the next start cuts off; no transaction is lost
	Damage      []error
}

// A CheckpointInfo says what one checkpoint file is.
type CheckpointInfo struct {
	Offset uint64 // it holds the transactions before
	Size   int64
	Damage error
}

// Inspect verifies every checksum in the replica's log and checkpoints.
func (r *Replica) Inspect() (*Inspection, error) {
	in := &Inspection{}
	var err error
	in.Segments, err = commitlog.Inspect(r.fs, filepath.Join(r.Dir, clogDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for i, s := range in.Segments {
		if i == 0 {
			in.First = uint64(s.First)
		}
		in.Next = max(in.Next, uint64(s.Next))
		if s.Damage != nil {
			in.Damage = append(in.Damage, s.Damage)
		} else if s.Torn != nil && i == len(in.Segments)-1 {
			in.Torn = s.Torn
		}
	}
	if err := r.inspectCheckpoints(in); err != nil {
		return nil, err
	}
	if b, err := vfs.ReadFile(r.fs, filepath.Join(r.Dir, secretFile)); err == nil && len(b) != secretSize {
		in.Damage = append(in.Damage, fmt.Errorf("%s has %d bytes; want %d", filepath.Join(r.Dir, secretFile), len(b), secretSize))
	}
	return in, nil
}

func (r *Replica) checkpoints() *commitlog.Checkpoints {
	return commitlog.ReadCheckpoints(commitlog.CheckpointOptions{FS: r.fs, Dir: filepath.Join(r.Dir, checkpointsDir)})
}

func (r *Replica) inspectCheckpoints(in *Inspection) error {
	ckpts := r.checkpoints()
	list, err := ckpts.List()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, off := range list {
		c := CheckpointInfo{Offset: uint64(off)}
		if c.Size, c.Damage = ckpts.Size(off); c.Damage == nil {
			c.Damage = ckpts.Check(off)
		}
		if c.Damage == nil && c.Offset > in.Next {
			c.Damage = fmt.Errorf("%w: checkpoint %d holds the transactions before it, and the log in %s ends at %d",
				commitlog.ErrAhead, c.Offset, filepath.Join(r.Dir, clogDir), in.Next)
		}
		if c.Damage != nil {
			in.Damage = append(in.Damage, c.Damage)
		}
		in.Checkpoints = append(in.Checkpoints, c)
	}
	return nil
}

// Contents is the state of a replica at some offset.
type Contents struct {
	Store *store.Store
	View  *store.View
	// Module is the row of st_module; ok is false before the first transaction.
	Module schema.StModuleRow
	OK     bool

	Checkpoint uint64 // that it was read from; 0: the log alone
	Replayed   uint64 // transactions of the log behind it
}

// ErrNotKept means that files which were removed as superfluous would be needed to
// tell an old state.
var ErrNotKept = errors.New("that is further back than log and checkpoints reach")

// errBefore ends a replay where it was asked to end.
var errBefore = errors.New("the transactions asked for are read")

// Load reads the state of the replica as it was before a transaction; a value
// beyond the end means as it is. It begins with the newest good checkpoint that is
// old enough, and skips damaged ones. Like a start of the server it fails if the log
// ends before a good checkpoint does. If nothing is damaged and the state is only too
// old, the error is ErrNotKept.
func (r *Replica) Load(in *Inspection, before uint64) (*Contents, error) {
	c := &Contents{}
	ckpts := r.checkpoints()
	var failures []error
	for _, info := range slices.Backward(in.Checkpoints) {
		if before > in.Next && errors.Is(info.Damage, commitlog.ErrAhead) {
			return nil, info.Damage
		}
		if info.Offset > min(before, in.Next) {
			continue
		}
		if info.Damage != nil {
			failures = append(failures, info.Damage)
			continue
		}
		if err := c.loadCheckpoint(ckpts, commitlog.Offset(info.Offset)); err != nil {
			failures = append(failures, err)
			continue
		}
		break
	}
	if c.Store == nil {
		c.Store = store.New(store.Options{Together: together})
	}
	if len(in.Segments) > 0 && in.First > c.Checkpoint {
		err := fmt.Errorf("no checkpoint leads to transaction %d, where the log begins", in.First)
		if before < in.First && len(failures) == 0 {
			return nil, fmt.Errorf("%w: %w", ErrNotKept, err)
		}
		return nil, errors.Join(append([]error{err}, failures...)...)
	}
	if len(in.Segments) > 0 {
		if err := c.replay(filepath.Join(r.Dir, clogDir), r.fs, before); err != nil {
			return nil, err
		}
	}
	if err := c.Store.FinishReplay(); err != nil {
		return nil, err
	}
	c.View = c.Store.View()
	var err error
	if c.Module, c.OK, err = storedProgram(c.View); err == nil && c.OK && abi.HashProgram(c.Module.Program) != c.Module.ProgramHash {
		err = fmt.Errorf("the program in st_module does not have the hash %s that stands beside it", c.Module.ProgramHash)
	}
	return c, err
}

func (c *Contents) loadCheckpoint(ckpts *commitlog.Checkpoints, off commitlog.Offset) error {
	s := store.New(store.Options{Together: together})
	in, err := ckpts.Open(off)
	if err != nil {
		return err
	}
	if err := errors.Join(loadSnapshot(s, off, in), in.Close()); err != nil {
		return err
	}
	c.Store, c.Checkpoint = s, uint64(off)
	return nil
}

func (c *Contents) replay(dir string, fsys vfs.FS, before uint64) error {
	_, err := commitlog.Read(fsys, dir, commitlog.Offset(c.Checkpoint), func(off commitlog.Offset, data []byte) (int, error) {
		if uint64(off) >= before {
			return 0, errBefore
		}
		c.Replayed++
		return c.Store.ReplayRecord(uint64(off), data)
	})
	if errors.Is(err, errBefore) {
		return nil
	}
	return err
}
