package host

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/sql"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// try initialises a throw-away database in memory with a program, so that what
// can go wrong goes wrong before anything is stored (spec 08 §20.2).
func (h *Host) try(info DatabaseInfo, p abi.Program, program []byte) (err error) {
	db := newDatabase(h, info, store.New(store.Options{DatabaseID: info.Identity}), commitlog.NewMemory())
	db.log = discardLog()
	m, err := db.newModule(info.Kind, p, db.services)
	if err != nil {
		return err
	}
	db.use(m)
	err = db.initialise(program)
	if closeErr := db.close(false); err == nil {
		err = closeErr
	}
	return err
}

// initialise makes tables, views, rules and the st_module row and calls `init`, in
// the first transaction of the database (spec 08 §12.1).
func (db *Database) initialise(program []byte) error {
	var failed error
	err := db.exec.do(background, func(at sats.Timestamp) {
		tx := db.store.Begin()
		if failed = db.firstTransaction(tx, at, program); failed != nil {
			return
		}
		if _, failed = db.commit(tx, nil, nil); failed == nil {
			db.system("Database initialized")
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

// firstTransaction fills tx, or rolls it back.
func (db *Database) firstTransaction(tx *store.Tx, at sats.Timestamp, program []byte) error {
	err := db.createSchema(tx, db.mod.def)
	if err == nil {
		err = db.storeProgram(tx, db.mod, program)
	}
	if err != nil {
		tx.Rollback()
		return &ProgramError{err}
	}
	if _, err := storeEnvironment(tx, &db.info.Environment, db.mod.def); err != nil {
		tx.Rollback()
		return err
	}
	r := db.mod.init
	if r == nil {
		return nil
	}
	db.system("Invoking `init` reducer")
	if out, _ := db.invoke(tx, r, Caller{Identity: db.info.Owner}, at, nil); out.Status != abi.StatusOK {
		db.rollback(tx, r, at, out)
		_, message := failureOf(out)
		failed := &InitError{Message: message}
		if out.Status == abi.StatusTrap {
			failed.Panic = db.log.lastPanic()
		}
		return failed
	}
	return nil
}

// system writes an informative record of the host into the module log.
func (db *Database) system(format string, args ...any) {
	db.log.system(db.services.Now(), abi.LogInfo, fmt.Sprintf(format, args...))
}

// createSchema makes what a module declares, in the order that fixes ids.
func (db *Database) createSchema(tx *store.Tx, def *schema.ModuleDef) error {
	for _, t := range byName(def.Tables, func(t *schema.TableDef) string { return t.Name }) {
		if err := db.addTable(tx, t); err != nil {
			return err
		}
	}
	for _, v := range byName(def.Views, func(v *schema.ViewDef) string { return v.Name }) {
		if err := db.addView(tx, v); err != nil {
			return err
		}
	}
	for _, text := range def.RLS {
		db.system("Creating row level security `%s`", text)
		if err := db.addRLS(tx, text); err != nil {
			return err
		}
	}
	return checkRLS(tx)
}

func (db *Database) addTable(tx *store.Tx, t *schema.TableDef) error {
	db.system("Creating table `%s`", t.Name)
	_, err := tx.CreateTable(t.Instantiate())
	return err
}

func (db *Database) addView(tx *store.Tx, v *schema.ViewDef) error {
	db.system("Creating table for view `%s`", v.Name)
	_, _, err := tx.CreateView(v)
	return err
}

// addRLS stores a row-level security rule under the table whose rows it returns.
func (db *Database) addRLS(tx *store.Tx, text string) error {
	t, err := sql.CompileRule(tx, text, sql.Caller{Identity: db.info.Owner, IsOwner: true})
	if err != nil {
		return err
	}
	return tx.CreateRLS(t.ID, text)
}

// checkRLS refuses rules that depend on each other in a circle.
func checkRLS(tx *store.Tx) error {
	if err := sql.CheckRules(tx); err != nil {
		return fmt.Errorf("row level security: %w", err)
	}
	return nil
}

// storeProgram makes m the module that st_module names.
func (db *Database) storeProgram(tx *store.Tx, m *module, program []byte) error {
	row := schema.StModuleRow{
		Database: db.info.Identity, Owner: db.info.Owner,
		ProgramKind: uint8(m.kind), ProgramHash: m.hash, Program: program,
		Version: schema.ModuleVersion,
	}
	if _, err := tx.Clear(schema.StModule); err != nil {
		return err
	}
	_, _, err := tx.Insert(schema.StModule, row.Append(nil))
	return err
}

// storedProgram returns the row of st_module; ok is false in a database that was
// never initialised.
func storedProgram(r store.Reader) (row schema.StModuleRow, ok bool, err error) {
	for b := range r.Scan(schema.StModule) {
		return row, true, row.Decode(b)
	}
	return row, false, nil
}

// byName returns a list sorted by name.
func byName[T any](list []T, name func(T) string) []T {
	return slices.SortedFunc(slices.Values(list), func(a, b T) int { return cmp.Compare(name(a), name(b)) })
}
