package control

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

func hash(b []byte) sats.Hash { return sha256.Sum256(b) }

func open(t *testing.T, dir string) *DB {
	t.Helper()
	d, err := Open(Options{Dir: dir, FS: vfs.OS{}, Hash: hash})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func identity(n byte) (id sats.Identity) { id[31], id[0] = 0xc2, n; return id }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func insert(t *testing.T, d *DB, id, owner sats.Identity, name string) Database {
	t.Helper()
	n, err := d.NextID()
	must(t, err)
	replica, err := d.NextID()
	must(t, err)
	rec := Database{ID: n, Identity: id, Owner: owner, Kind: Wasm, InitialProgram: Hash(hash([]byte(name))), Replica: replica}
	must(t, d.Insert(rec, name))
	return rec
}

func TestLifeOfADatabase(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	alice, bob := identity(1), identity(2)
	one := insert(t, d, identity(11), alice, "shop")
	two := insert(t, d, identity(12), bob, "")
	three := insert(t, d, identity(10), alice, "chat")
	must(t, d.SetLocked(three.Identity, true))

	check := func(d *DB) {
		t.Helper()
		if rec, err := d.Database(one.Identity); err != nil || rec != one {
			t.Errorf("record %+v, %v; want %+v", rec, err, one)
		}
		if all, err := d.Databases(); err != nil || !reflect.DeepEqual(all, []Database{one, two, three}) {
			t.Errorf("all: %+v, %v", all, err)
		}
		if owned, err := d.Owned(alice); err != nil || !slices.Equal(owned, []sats.Identity{one.Identity, three.Identity}) {
			t.Errorf("owned: %v, %v", owned, err)
		}
		if owned, err := d.Owned(identity(99)); err != nil || owned == nil || len(owned) != 0 {
			t.Errorf("owned by nobody: %v, %v", owned, err)
		}
		if id, found, err := d.Lookup("shop"); err != nil || !found || id != one.Identity {
			t.Errorf("lookup: %v %v %v", id, found, err)
		}
		for _, rec := range []Database{one, three} {
			if locked, err := d.Locked(rec.Identity); err != nil || locked != (rec == three) {
				t.Errorf("locked: %v, %v", locked, err)
			}
		}
	}
	check(d)
	must(t, d.Close())
	d = open(t, dir) // all of it survives
	check(d)

	if id, err := d.NextID(); err != nil || id <= three.Replica {
		t.Errorf("an id was given twice: %d after %d, %v", id, three.Replica, err)
	}
	if err := d.Insert(one, ""); err == nil {
		t.Error("a database was inserted twice")
	}
	must(t, d.Replace(three.Identity, 77, JS, hash([]byte("new"))))
	three.Replica, three.Kind, three.InitialProgram = 77, JS, Hash(hash([]byte("new")))
	check(d)

	must(t, d.Delete(three.Identity))
	must(t, d.Delete(three.Identity))
	if _, err := d.Database(three.Identity); !errors.Is(err, ErrNoDatabase) {
		t.Errorf("deleted: %v", err)
	}
	if locked, err := d.Locked(three.Identity); err != nil || locked {
		t.Error("the lock outlived its database")
	}
	if id, found, err := d.Lookup("chat"); err != nil || !found || id != three.Identity {
		t.Error("the name did not outlive its database")
	}
	for _, err := range []error{d.Replace(three.Identity, 1, JS, sats.Hash{}), d.SetLocked(three.Identity, true)} {
		if !errors.Is(err, ErrNoDatabase) {
			t.Errorf("on a deleted database: %v", err)
		}
	}
	insert(t, d, three.Identity, alice, "chat") // the name already leads there
}

func TestNames(t *testing.T) {
	d := open(t, t.TempDir())
	alice, bob := identity(1), identity(2)
	shop := insert(t, d, identity(11), alice, "shop").Identity
	must(t, d.InsertName("second", shop, alice))
	must(t, d.InsertName("third", shop, bob))

	var taken *TakenError
	var permission *PermissionError
	if err := d.InsertName("shop", shop, bob); !errors.As(err, &taken) || err.Error() != "record with the name shop already exists" {
		t.Errorf("a taken name: %v", err)
	}
	if err := d.ReplaceNames(shop, alice, []string{"fresh"}); !errors.As(err, &permission) || permission.Name != "third" {
		t.Errorf("an old name of another: %v", err)
	}
	if err := d.ReplaceNames(shop, alice, []string{"fresh", "shop"}); !errors.As(err, &taken) || taken.Name != "shop" {
		t.Errorf("a name of its own: %v", err)
	}
	if names, err := d.Names(shop); err != nil || !slices.Equal(names, []string{"shop", "second", "third"}) {
		t.Errorf("a refused change left traces: %v, %v", names, err)
	}

	other := insert(t, d, identity(12), alice, "old").Identity
	must(t, d.ReplaceNames(other, alice, []string{"young", "younger", "young"}))
	if names, err := d.Names(other); err != nil || !slices.Equal(names, []string{"young", "younger"}) {
		t.Errorf("replaced: %v, %v", names, err)
	}
	if _, found, err := d.Lookup("old"); err != nil || found {
		t.Error("a replaced name still leads somewhere")
	}
	if err := d.InsertName("old", shop, bob); !errors.As(err, &permission) {
		t.Errorf("a given-up name was taken by another: %v", err)
	}
	if owner, found, err := d.NameOwner("old"); err != nil || !found || owner != alice {
		t.Errorf("owner of a given-up name: %v %v %v", owner, found, err)
	}
	must(t, d.ReplaceNames(other, alice, nil))
	if names, err := d.Names(other); err != nil || names == nil || len(names) != 0 {
		t.Errorf("nameless: %v, %v", names, err)
	}
	if id, found, err := d.Lookup("SHOP"); err != nil || !found || id != shop {
		t.Errorf("lookup folds case: %v %v %v", id, found, err)
	}
	rec := Database{ID: 900, Identity: identity(13), Owner: bob, Kind: Wasm, Replica: 901}
	if err := d.Insert(rec, "old"); !errors.As(err, &permission) {
		t.Errorf("insert under a foreign name: %v", err)
	}
	if _, err := d.Database(rec.Identity); !errors.Is(err, ErrNoDatabase) {
		t.Error("a refused insert left a record")
	}
}

// Names and reverse names against a naive model.
func TestNamesModel(t *testing.T) {
	dir := t.TempDir()
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		d, err := Open(Options{Dir: filepath.Join(dir, fmt.Sprint(round)), FS: vfs.OS{}, Hash: hash})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		d.bolt.NoSync = true
		to, owner, list := map[string]sats.Identity{}, map[string]sats.Identity{}, map[sats.Identity][]string{}
		name := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		database := rapid.SampledFrom([]sats.Identity{identity(11), identity(12)})
		caller := rapid.SampledFrom([]sats.Identity{identity(1), identity(2)})
		rt.Repeat(map[string]func(*rapid.T){
			"insert": func(rt *rapid.T) {
				n, db, who := name.Draw(rt, "name"), database.Draw(rt, "database"), caller.Draw(rt, "caller")
				_, taken := to[n]
				by, owned := owner[n]
				ok := !taken && (!owned || by == who)
				if err := d.InsertName(n, db, who); (err == nil) != ok {
					rt.Fatalf("insert %s: %v, want ok %v", n, err, ok)
				}
				if ok {
					to[n], owner[n] = db, who
					list[db] = append(list[db], n)
				}
			},
			"replace": func(rt *rapid.T) {
				names, db, who := rapid.SliceOfDistinct(name, rapid.ID).Draw(rt, "names"), database.Draw(rt, "database"), caller.Draw(rt, "owner")
				ok := true
				for _, n := range names {
					if _, taken := to[n]; taken {
						ok = false
					}
				}
				for _, n := range slices.Concat(names, list[db]) {
					if by, owned := owner[n]; owned && by != who {
						ok = false
					}
				}
				if err := d.ReplaceNames(db, who, names); (err == nil) != ok {
					rt.Fatalf("replace %v: %v, want ok %v", names, err, ok)
				}
				if ok {
					for _, n := range list[db] {
						delete(to, n)
					}
					list[db] = names
					for _, n := range names {
						to[n], owner[n] = db, who
					}
				}
			},
			"": func(rt *rapid.T) {
				for _, db := range []sats.Identity{identity(11), identity(12)} {
					if names, err := d.Names(db); err != nil || !slices.Equal(names, list[db]) {
						rt.Fatalf("names of %s: %v, %v; want %v", db, names, err, list[db])
					}
				}
				for _, n := range []string{"a", "b", "c", "d"} {
					id, found, err := d.Lookup(n)
					want, known := to[n]
					if err != nil || found != known || id != want {
						rt.Fatalf("lookup %s: %v %v %v", n, id, found, err)
					}
				}
			},
		})
	})
}

func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	program := []byte("\x00asm of some kind")
	h, err := d.PutProgram(program)
	must(t, err)
	path := filepath.Join(dir, "program-bytes", h.String()[:2], h.String()[2:])
	if b, err := os.ReadFile(path); err != nil || string(b) != string(program) {
		t.Fatalf("%s: %q, %v", path, b, err)
	}
	if b, err := d.Program(h); err != nil || string(b) != string(program) {
		t.Errorf("program %q, %v", b, err)
	}
	if _, err := d.Program(sats.Hash{1}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
	must(t, os.WriteFile(path, program[1:], 0o600))
	if _, err := d.Program(h); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged program: %v", err)
	}
	_, err = d.PutProgram(program)
	must(t, err)
	if _, err := d.Program(h); err != nil {
		t.Errorf("not repaired: %v", err)
	}
}

func TestEnergy(t *testing.T) {
	d := open(t, t.TempDir())
	huge := new(big.Int).Lsh(big.NewInt(1), 128)
	for _, step := range []struct {
		add  *big.Int
		want string
	}{{big.NewInt(0), "0"}, {big.NewInt(5), "5"}, {big.NewInt(7), "12"}, {huge, maxBalance.String()}} {
		got, err := d.AddEnergy(identity(1), step.add)
		if err != nil || got.String() != step.want {
			t.Errorf("add %s: %s, %v; want %s", step.add, got, err, step.want)
		}
	}
	if got, err := d.Energy(identity(1)); err != nil || got.Cmp(maxBalance) != 0 {
		t.Errorf("kept: %s, %v", got, err)
	}
	if got, err := d.Energy(identity(2)); err != nil || got.Sign() != 0 {
		t.Errorf("nobody's: %s, %v", got, err)
	}
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := Open(Options{Dir: dir, FS: vfs.OS{}, Hash: hash}); err == nil || !strings.Contains(err.Error(), "open in another process") {
		t.Errorf("second open: %v", err)
	}
}

func TestIDsAreUnique(t *testing.T) {
	d := open(t, t.TempDir())
	d.bolt.NoSync = true
	var mu sync.Mutex
	seen := map[uint64]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				id, err := d.NextID()
				mu.Lock()
				if err != nil || seen[id] {
					t.Errorf("id %d given twice, %v", id, err)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// Every prefix of what reached the file leaves a control database that opens
// with one of the states that were committed: a copy taken between any two
// changes is what a killed process leaves.
func TestKilledBetweenChanges(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	alice := identity(1)
	for n := range byte(5) {
		rec := insert(t, d, identity(10+n), alice, fmt.Sprintf("db%d", n))
		copied := filepath.Join(t.TempDir(), "data")
		copyFile(t, filepath.Join(dir, "control-db", "control.db"), filepath.Join(copied, "control-db", "control.db"))
		other := open(t, copied)
		if got, err := other.Database(rec.Identity); err != nil || got != rec {
			t.Errorf("after %d changes: %+v, %v", n, got, err)
		}
		if all, err := other.Databases(); err != nil || len(all) != int(n)+1 {
			t.Errorf("after %d changes: %d databases, %v", n, len(all), err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(to), 0o700))
	src, err := os.Open(from)
	must(t, err)
	defer func() { _ = src.Close() }()
	dst, err := os.Create(to)
	must(t, err)
	_, err = io.Copy(dst, src)
	must(t, err)
	must(t, dst.Close())
}

// Whatever the file holds, opening it ends in an error that says so, or in a
// database whose records are all readable.
func TestDamagedStore(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	for i := range byte(40) {
		insert(t, d, identity(10+i), identity(1), fmt.Sprintf("name-%d", i))
	}
	must(t, d.Close())
	whole, err := os.ReadFile(filepath.Join(dir, "control-db", "control.db"))
	must(t, err)
	attempt := func(text []byte) error {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "control-db"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "control-db", "control.db"), text, 0o600))
		d, err := Open(Options{Dir: dir, FS: vfs.OS{}, Hash: hash})
		if err != nil {
			if !strings.Contains(err.Error(), "control.db is damaged") || !strings.Contains(err.Error(), "from a copy") {
				t.Errorf("%v", err)
			}
			return err
		}
		if all, err := d.Databases(); err != nil || len(all) != 40 {
			t.Errorf("%d databases, %v", len(all), err)
		}
		return d.Close()
	}
	must(t, attempt(whole))
	refused := 0
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		text := slices.Clone(whole)
		for range 1 + rng.IntN(300) {
			text[8192+rng.IntN(len(text)-8192)] = byte(rng.Uint32())
		}
		if attempt(text) != nil {
			refused++
		}
	}
	if refused < 50 {
		t.Errorf("%d damaged files refused", refused)
	}
	for _, n := range []int{1, 4095, 5000, 9000, len(whole) / 2} {
		if attempt(whole[:n]) == nil {
			t.Errorf("cut to %d bytes: opens", n)
		}
	}
	if attempt([]byte("garbage\n")) == nil {
		t.Error("garbage opens")
	}
}

// A single bit that rotted is found, or is where nothing is kept: it never takes away
// a database, a name or a lock, nor makes litter of what belongs to a database.
func TestEveryRottenByteOfTheStore(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	const owner = 0x5a
	for i := range byte(3) {
		rec := insert(t, d, identity(10+i), identity(owner), fmt.Sprintf("name-%d", i))
		must(t, d.InsertName(fmt.Sprintf("name-%d/Sub", i), rec.Identity, identity(owner)))
	}
	must(t, d.SetLocked(identity(11), true))
	must(t, d.Delete(identity(10)))
	_, err := d.NextReplica()
	must(t, err)
	last := insert(t, d, identity(20), identity(owner), "last")
	must(t, d.Close())
	state := func(d *DB) string {
		text := ""
		all, err := d.Databases()
		litter, litterErr := d.Litter()
		for _, id := range litter {
			if id != 2 && id != 7 {
				t.Errorf("replica %d is litter", id)
			}
		}
		for _, rec := range all {
			names, namesErr := d.Names(rec.Identity)
			locked, lockedErr := d.Locked(rec.Identity)
			found, foundErr := d.Database(rec.Identity)
			text += fmt.Sprintln(rec, names, locked, found, namesErr, lockedErr, foundErr)
			for _, name := range names {
				id, ok, err := d.Lookup(name)
				text += fmt.Sprintln(name, id, ok, err)
			}
		}
		return text + fmt.Sprintln(err, litterErr)
	}
	path := filepath.Join(dir, "control-db", "control.db")
	whole, err := os.ReadFile(path)
	must(t, err)
	o := Options{Dir: dir, FS: vfs.OS{}, Hash: hash}
	read := func() (string, error) {
		d, err := Read(o)
		if err != nil {
			return "", err
		}
		return state(d), d.Close()
	}
	want, err := read()
	must(t, err)
	if !strings.Contains(want, last.Identity.String()) {
		t.Fatal(want)
	}
	refused := 0
	for at, b := range whole {
		if b == 0 {
			continue // mostly room that is not used
		}
		text := slices.Clone(whole)
		text[at] ^= 1 << (at % 7)
		must(t, os.WriteFile(path, text, 0o600))
		got, err := read()
		switch {
		case err != nil:
			if refused++; !strings.Contains(err.Error(), "control.db is damaged") && !strings.Contains(err.Error(), "another version wrote it") {
				t.Errorf("byte %d: %v", at, err)
			}
		case !strings.EqualFold(got, want): // names may differ so
			t.Errorf("byte %d of page %d: %s\nwant %s", at%4096, at/4096, got, want)
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}

// The checker accepts what the store writes, with many databases, deletions and
// reopenings.
func TestCheckerAcceptsTheStore(t *testing.T) {
	dir := t.TempDir()
	for round := range 6 {
		d := open(t, dir)
		all, err := d.Databases()
		must(t, err)
		for i, rec := range all {
			if i%3 == round%3 {
				must(t, d.Delete(rec.Identity))
			}
		}
		for i := range 120 {
			id := identity(byte(i))
			id[5], id[6] = byte(round), 1
			insert(t, d, id, identity(1), "")
		}
		must(t, d.Close())
	}
}
