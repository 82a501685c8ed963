package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/control"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

// damaged is the exit code of commands that have found damage, and errDamage what
// they return when they have said all about it.
const damaged = 3

var errDamage = errors.New("damage was found")

// dbCommand are the tools for a data directory while no server runs on it.
func (r *run) dbCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db <COMMAND>",
		Short: "Look into a data directory while no server runs on it",
		Long: "Checks, counts and exports the databases of a data directory while no server runs on it.\n" +
			"Nothing in it is changed. A data directory of the original server works as well, as far as\n" +
			"its commit logs reach back to the first transaction; databases are then known by the number\n" +
			"or identity only, since its control database has another format.\n\n" +
			"Exit codes: 0 all is well, 1 the command could not do its work, 2 it was not understood,\n" +
			"3 something is damaged.",
		Args: noPositionals, RunE: r.wantsSubcommand,
	}
	cmd.AddCommand(r.dbCheck(), r.dbStats(), r.dbDump())
	return cmd
}

// offline are the options that all of these commands have.
type offline struct{ dir string }

func (o *offline) flags(r *run, cmd *cobra.Command) {
	cmd.Flags().Var(once(&o.dir, "directory"), "data-dir", "the data directory; default "+r.dataDir())
}

func (r *run) dbCheck() *cobra.Command {
	var o offline
	cmd := &cobra.Command{
		Use:   "check [OPTIONS] [DATABASE]",
		Short: "Verify every checksum, and that the databases can be opened",
		Long: "Verifies every checksum of the commit logs, checkpoints and programs of one database, or of\n" +
			"all; then reads each as a start of the server would, and prints its tables. Damage is named\n" +
			"with file and byte, and the exit code is 3. A commit that a power cut left unfinished is no\n" +
			"damage: no transaction in it was ever acknowledged.\n\n" +
			"DATABASE is a name, an identity, or the number of a folder in replicas/.",
		Args: positionals(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := r.openData(&o)
			if err != nil {
				return err
			}
			ok := len(args) > 0 || r.checkControl(d)
			err = d.each(args, func(f *replicaFiles) error {
				good, err := r.checkReplica(f)
				ok = ok && good
				return err
			})
			if err = errors.Join(err, d.close()); err == nil && !ok {
				return errDamage
			}
			return err
		},
	}
	o.flags(r, cmd)
	return cmd
}

func (r *run) dbStats() *cobra.Command {
	var o offline
	cmd := &cobra.Command{
		Use:   "stats [OPTIONS] [DATABASE]",
		Short: "Print what the databases hold",
		Long: "Prints for one database, or for all: the files of log and checkpoints, and each table with\n" +
			"the number of its rows, the bytes of memory that they and their indexes take in a server,\n" +
			"and its indexes.\n\n" +
			"DATABASE is a name, an identity, or the number of a folder in replicas/.",
		Args: positionals(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return r.eachReplica(&o, args, r.statsOfReplica)
		},
	}
	o.flags(r, cmd)
	return cmd
}

func (r *run) dbDump() *cobra.Command {
	var o offline
	d := dump{before: ^uint64(0)}
	var before string
	cmd := &cobra.Command{
		Use:   "dump [OPTIONS] [DATABASE]",
		Short: "Export rows as JSON lines",
		Long: "Prints every row of a database as one line of JSON:\n\n" +
			"    {\"table\":\"person\",\"row\":{\"id\":1,\"name\":\"Ada\"}}\n\n" +
			"Numbers are exact, whatever their size; floats that are none are null. Damage ends the export with exit code 3; what was\n" +
			"printed before is good. With --before the rows are those that stood before a transaction, as\n" +
			"far back as log and checkpoints reach.\n\n" +
			"DATABASE is a name, an identity, or the number of a folder in replicas/; it may be left out\n" +
			"if there is only one.",
		Args: positionals(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if before != "" {
				if d.before, err = strconv.ParseUint(before, 10, 64); err != nil {
					return usagef(cmd, "invalid value '%s' for '--before <transaction>': it is not the number of a transaction", before)
				}
			}
			return r.dumpTo(&o, &d, args)
		},
	}
	o.flags(r, cmd)
	cmd.Flags().VarP(&d.tables, "table", "t", "only this table; may be given more than once")
	cmd.Flags().BoolVar(&d.system, "system", false, "the system tables, too")
	cmd.Flags().Var(once(&before, "transaction"), "before", "the rows as they stood before this transaction")
	cmd.Flags().VarP(once(&d.output, "file"), "output", "o", "write to this file, which must not exist, instead of standard output")
	cmd.Flags().Lookup("table").Annotations = map[string][]string{repeatable: {}}
	return cmd
}

// A listValue is a string option that may be given more than once.
type listValue []string

func (v *listValue) String() string     { return strings.Join(*v, ",") }
func (v *listValue) Type() string       { return "name" }
func (v *listValue) Set(s string) error { *v = append(*v, s); return nil }

// A replicaFiles is one replica, and what the control database says of it.
type replicaFiles struct {
	*host.Replica
	fs      *countedFS
	rec     *control.Database // nil: it belongs to no database
	names   []string
	control *control.DB // nil: there is none that we can read
}

// title names the replica.
func (f *replicaFiles) title() string {
	s := fmt.Sprintf("replica %d", f.ID)
	if f.rec != nil {
		names := append(slices.Clone(f.names), f.rec.Identity.String())
		return s + ": " + strings.Join(names, ", ")
	}
	if f.control != nil {
		return s + ": of no database, removed by the next start if a publish or deletion left it"
	}
	return s
}

// matches reports whether a word of the command line means the replica.
func (f *replicaFiles) matches(word string) bool {
	if id, err := sats.IdentityFromHexPrefixed(word); err == nil {
		if f.rec != nil {
			return f.rec.Identity == id
		}
		in, err := f.Inspect()
		if err != nil {
			return false
		}
		c, err := f.Load(in, ^uint64(0))
		return err == nil && c.OK && c.Module.Database == id
	}
	return word == strconv.FormatUint(f.ID, 10) ||
		slices.ContainsFunc(f.names, func(n string) bool { return strings.EqualFold(n, word) })
}

// A dataDir is a data directory that no server can start on while it is open.
type dataDir struct {
	dir      string
	fs       *countedFS
	replicas []uint64
	control  *control.DB // nil: there is none that we can read, perhaps for the reason
	damage   error
	unlock   func() error
}

func (r *run) openData(o *offline) (*dataDir, error) {
	d := &dataDir{dir: r.dataDir(), fs: &countedFS{FS: vfs.OS{}}}
	if o.dir != "" {
		d.dir = r.path(o.dir)
	}
	fsys := d.fs
	var err error
	if d.replicas, err = host.Replicas(fsys, d.dir); err != nil {
		return nil, because(err, "the data directory cannot be read")
	}
	if len(d.replicas) == 0 {
		if _, err := os.Stat(filepath.Join(d.dir, "control-db")); err != nil {
			return nil, fail("%s holds no databases: name a data directory by --data-dir", d.dir)
		}
	}
	if d.unlock, err = lockData(fsys, d.dir); err != nil {
		return nil, err
	}
	d.control, err = control.Read(control.Options{Dir: d.dir, FS: fsys, Hash: auth.HashProgram})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.damage = err
		fmt.Fprintf(r.Stderr, "Databases are known by number only: %v\n\n", err)
	}
	return d, nil
}

func (d *dataDir) close() error {
	var err error
	if d.control != nil {
		err = d.control.Close()
	}
	return errors.Join(err, d.unlock())
}

// each calls fn for the replicas that args name, or for all of them.
func (d *dataDir) each(args []string, fn func(*replicaFiles) error) error {
	found := len(args) == 0
	for _, id := range d.replicas {
		f, err := openReplica(d.fs, d.dir, id, d.control)
		if err != nil {
			return err
		}
		if len(args) == 0 || f.matches(args[0]) {
			found = true
			err = fn(f)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	if !found {
		return fail("there is no database %s in %s: `spacetime db stats --data-dir %s` lists those that are there", args[0], d.dir, d.dir)
	}
	return nil
}

// eachReplica opens a data directory and calls fn for the replicas that args name,
// or for all of them.
func (r *run) eachReplica(o *offline, args []string, fn func(*replicaFiles) error) error {
	d, err := r.openData(o)
	if err != nil {
		return err
	}
	return errors.Join(d.each(args, fn), d.close())
}

func openReplica(fsys *countedFS, dir string, id uint64, ctl *control.DB) (*replicaFiles, error) {
	files, err := host.OpenReplica(fsys, dir, id)
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fail("replica %d is open in another process: stop the server on %s first", id, dir)
	} else if err != nil {
		return nil, because(err, "replica %d cannot be read", id)
	}
	f := &replicaFiles{Replica: files, fs: fsys, control: ctl}
	if ctl == nil {
		return f, nil
	}
	all, err := ctl.Databases()
	for i := range all {
		if all[i].Replica == id {
			f.rec = &all[i]
			var nameErr error
			f.names, nameErr = ctl.Names(all[i].Identity)
			err = errors.Join(err, nameErr)
		}
	}
	if err != nil {
		return nil, errors.Join(because(err, "the control database cannot be read"), f.Close())
	}
	return f, nil
}

// lockData keeps servers away from a data directory. The lock file is removed again
// if it was not there.
func lockData(fsys vfs.FS, dir string) (unlock func() error, err error) {
	path := filepath.Join(dir, "spacetime.pid")
	_, statErr := os.Stat(path)
	lock, err := fsys.Lock(path)
	switch {
	case errors.Is(err, vfs.ErrLocked):
		return nil, fail("a server is running on %s: stop it first", dir)
	case err != nil && readOnly(err):
		return func() error { return nil }, nil // no server can run there either
	case err != nil:
		return nil, because(err, "the data directory cannot be locked")
	}
	return func() error {
		err := lock.Close()
		if errors.Is(statErr, fs.ErrNotExist) {
			err = errors.Join(err, os.Remove(path))
		}
		return err
	}, nil
}

// open opens where a dump goes.
func (d *dump) open(stdout io.Writer) (io.Writer, func() error, error) {
	if d.output == "" {
		return stdout, func() error { return nil }, nil
	}
	f, err := os.OpenFile(d.output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, because(err, "the output cannot be written")
	}
	return f, func() error { return errors.Join(f.Sync(), f.Close()) }, nil
}
