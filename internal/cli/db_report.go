package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// readOnly reports whether an error says that nothing can be written there.
func readOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// damageIn tells the damage of a replica's files, why it could not be loaded, from a
// command that cannot do its work: files that cannot be read at all, a state that is
// not kept.
func damageIn(err error) bool {
	var damage *commitlog.CorruptionError
	var unread *fs.PathError
	return errors.As(err, &damage) || !errors.As(err, &unread) && !errors.Is(err, host.ErrNotKept)
}

// checkControl reports damage to what is known of all databases.
func (r *run) checkControl(d *dataDir) (ok bool) {
	damage := []error{d.damage}
	if d.control != nil {
		all, err := d.control.Databases()
		damage = append(damage, err)
		for _, rec := range all {
			if !slices.Contains(d.replicas, rec.Replica) {
				damage = append(damage, fmt.Errorf("database %s has replica %d, and replicas/%d is not there (a server that keeps databases in memory makes none)", rec.Identity, rec.Replica, rec.Replica))
			}
		}
	}
	ok = true
	for _, err := range damage {
		if err != nil {
			fmt.Fprintf(r.Stdout, "DAMAGED: %v\n\n", err)
			ok = false
		}
	}
	return ok
}

// checkReplica verifies one replica and prints what it finds; ok is false if
// something is damaged.
func (r *run) checkReplica(f *replicaFiles) (ok bool, err error) {
	fmt.Fprintln(r.Stdout, f.title())
	in, err := r.inspect(f)
	if err != nil {
		return false, because(err, "replica %d cannot be read", f.ID)
	}
	r.printFiles(in)
	damage := slices.Clone(in.Damage)
	if f.rec != nil {
		if _, err := f.control.Program(sats.Hash(f.rec.InitialProgram)); err != nil {
			damage = append(damage, err)
		}
	}
	c, err := r.load(f, in, ^uint64(0))
	switch {
	case err != nil && len(in.Damage) == 0:
		damage = append(damage, err)
	case err != nil:
		fmt.Fprintln(r.Stdout, "  It cannot be opened as it is.")
	default:
		defer c.View.Close()
		if f.rec != nil && c.OK && c.Module.Database != f.rec.Identity {
			damage = append(damage, fmt.Errorf("st_module names the database %s; the control database has %s for this replica", c.Module.Database, f.rec.Identity))
		}
		r.printTables(c, false)
	}
	if in.Torn != nil {
		fmt.Fprintf(r.Stdout, "  The last commit is unfinished, as after a power cut; the next start leaves it out: %v\n", in.Torn)
	}
	for _, d := range damage {
		fmt.Fprintf(r.Stdout, "  DAMAGED: %v\n", d)
	}
	if len(damage) == 0 {
		fmt.Fprintln(r.Stdout, "  OK")
	}
	fmt.Fprintln(r.Stdout)
	return len(damage) == 0, nil
}

// statsOfReplica prints what a replica holds.
func (r *run) statsOfReplica(f *replicaFiles) error {
	fmt.Fprintln(r.Stdout, f.title())
	in, err := r.inspect(f)
	if err != nil {
		return because(err, "replica %d cannot be read", f.ID)
	}
	r.printFiles(in)
	c, err := r.load(f, in, ^uint64(0))
	if err != nil {
		return r.cannotLoad(f, err)
	}
	defer c.View.Close()
	if c.OK {
		fmt.Fprintf(r.Stdout, "  identity %s, owner %s\n  program %s (%s), %s\n", c.Module.Database, c.Module.Owner,
			c.Module.ProgramHash, host.ProgramKind(c.Module.ProgramKind), bytesText(int64(len(c.Module.Program))))
	}
	r.printTables(c, true)
	fmt.Fprintln(r.Stdout)
	return nil
}

// cannotLoad reports why a replica cannot be read.
func (r *run) cannotLoad(f *replicaFiles, err error) error {
	if damageIn(err) {
		fmt.Fprintf(r.Stderr, "Error: replica %d is damaged: %v\n", f.ID, err)
		return errDamage
	}
	return because(err, "replica %d cannot be read", f.ID)
}

func (r *run) printFiles(in *host.Inspection) {
	var size int64
	commits := 0
	for _, s := range in.Segments {
		size += s.Size
		commits += s.Commits
	}
	if len(in.Segments) == 0 {
		fmt.Fprintln(r.Stdout, "  no commit log")
	} else {
		fmt.Fprintf(r.Stdout, "  log: transactions %d to %d in %s, %s, %s\n", in.First, max(in.Next, 1)-1,
			plural(commits, "commit"), plural(len(in.Segments), "segment"), bytesText(size))
	}
	for _, c := range in.Checkpoints {
		fmt.Fprintf(r.Stdout, "  checkpoint: before transaction %d, %s\n", c.Offset, bytesText(c.Size))
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// bytesText writes a size exactly, with its digits in groups.
func bytesText(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String() + " bytes"
}

// printTables prints the tables of a state; in short, those of the user alone.
func (r *run) printTables(c *host.Contents, all bool) {
	header := []string{"id", "table", "rows"}
	if all {
		header = append(header, "memory", "indexes")
	}
	var rows [][]string
	for _, t := range c.Store.Stats() {
		if !all && t.Table.ID < schema.FirstUserID {
			continue
		}
		row := []string{strconv.FormatUint(uint64(t.Table.ID), 10), t.Table.Name, strconv.FormatUint(t.Rows, 10)}
		if all {
			var indexes []string
			for _, ix := range t.Table.Indexes {
				indexes = append(indexes, ix.Name)
			}
			row = append(row, strconv.FormatUint(t.Bytes, 10), strings.Join(indexes, " "))
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		fmt.Fprintln(r.Stdout, "  "+strings.ReplaceAll(formatTable(header, rows), "\n", "\n  "))
	}
}

// A dump is what `db dump` was asked for.
type dump struct {
	tables listValue
	system bool
	before uint64
	output string
}

// dumpTo exports the database that args name.
func (r *run) dumpTo(o *offline, d *dump, args []string) error {
	if len(args) == 0 {
		n := 0
		if err := r.eachReplica(o, nil, func(*replicaFiles) error { n++; return nil }); err != nil {
			return err
		}
		if n != 1 {
			return fail("there are %d databases: name the one to export; `spacetime db stats` lists them", n)
		}
	}
	if d.output != "" {
		d.output = r.path(d.output)
	}
	return r.eachReplica(o, args, func(f *replicaFiles) (err error) {
		in, err := r.inspect(f)
		if err != nil {
			return because(err, "replica %d cannot be read", f.ID)
		}
		c, err := r.load(f, in, d.before)
		if err != nil {
			return r.cannotLoad(f, err)
		}
		defer c.View.Close()
		tables, err := d.pick(c)
		if err != nil {
			return err
		}
		w, done, err := d.open(r.Stdout)
		if err != nil {
			return err
		}
		shown := r.exporting(d)
		defer shown.end()
		out := bufio.NewWriterSize(shown.writer(w), 64<<10)
		for _, t := range tables {
			if err == nil {
				err = dumpTable(out, c, t)
			}
		}
		return errors.Join(err, out.Flush(), done())
	})
}

// pick returns the tables to export.
func (d *dump) pick(c *host.Contents) ([]*schema.Table, error) {
	if len(d.tables) == 0 {
		return slices.DeleteFunc(slices.Clone(c.View.Tables()), func(t *schema.Table) bool {
			return t.ID < schema.FirstUserID && !d.system || t.IsView || t.IsEvent
		}), nil
	}
	var tables []*schema.Table
	for _, name := range d.tables {
		t := c.View.TableByName(name)
		if t == nil {
			return nil, fail("there is no table %s: `spacetime db stats` lists those that are there", name)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func dumpTable(w io.Writer, c *host.Contents, t *schema.Table) error {
	prefix := append(append([]byte(`{"table":`), sats.AppendJSONString(nil, t.Name)...), `,"row":`...)
	rowType := t.RowType()
	var line []byte
	for row := range c.View.Scan(t.ID) {
		var err error
		if line, _, err = sats.AppendJSON(append(line[:0], prefix...), nil, rowType, row, sats.FlavorNamed); err != nil {
			return fmt.Errorf("a row of table %s: %w", t.Name, err)
		}
		if _, err := w.Write(append(line, "}\n"...)); err != nil {
			return err
		}
	}
	return nil
}
