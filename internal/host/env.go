package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/internal/subscribe"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	"github.com/stdbgo/spacetime/sats"
)

// The limits of spec 08 §37.1.
const (
	maxEnvKey    = 256
	maxEnvValue  = 8192
	maxEnvValues = 256
)

// An EnvUpdate changes the environment of a database (spec 08 §37.2): what is to be
// removed goes first. The zero value changes nothing. It has no text form, so that
// no value gets into a log by accident.
type EnvUpdate struct {
	Values    map[string]string
	RemoveAll bool
	Remove    []string
}

// String hides the values.
func (u EnvUpdate) String() string { return fmt.Sprintf("%d environment values", len(u.Values)) }

// GoString hides the values.
func (u EnvUpdate) GoString() string { return u.String() }

// An EnvError refuses an environment. Nothing was changed.
type EnvError struct {
	Key    string // empty: none, or one that is no key
	Reason string
}

func (e *EnvError) Error() string {
	if e.Key == "" {
		return e.Reason
	}
	return fmt.Sprintf("environment key %q: %s", e.Key, e.Reason)
}

// A MissingEnvError refuses an environment that lacks values which the module
// requires.
type MissingEnvError struct{ Keys []string } // ascending

func (e *MissingEnvError) Error() string {
	var b strings.Builder
	for i, k := range e.Keys {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "environment key %q: required value is missing", k)
	}
	return b.String()
}

var (
	// ErrEnvConflict refuses a change that was prepared for another program than the
	// one that runs.
	ErrEnvConflict = errors.New("database program changed before publication; reload environment metadata and retry")
	// errEnvViews refuses values with which a view cannot be evaluated.
	errEnvViews = errors.New("view evaluation failed during environment publication")
)

func (u *EnvUpdate) isZero() bool { return len(u.Values) == 0 && !u.RemoveAll && len(u.Remove) == 0 }

// Check reports what is wrong with an update whatever the database has.
func (u *EnvUpdate) Check() error {
	if len(u.Values) > maxEnvValues || len(u.Remove) > maxEnvValues {
		return &EnvError{Reason: "too many stored values"}
	}
	for _, k := range slices.Sorted(maps.Keys(u.Values)) {
		switch v := u.Values[k]; {
		case !validEnvKey(k):
			return &EnvError{Reason: "invalid name"}
		case len(v) > maxEnvValue:
			return &EnvError{k, "value exceeds size limit"}
		case !utf8.ValidString(v):
			return &EnvError{k, "value is not UTF-8"}
		}
	}
	removed := map[string]bool{}
	for _, k := range u.Remove {
		if !validEnvKey(k) {
			return &EnvError{Reason: "invalid name"}
		}
		if _, set := u.Values[k]; set || removed[k] {
			return &EnvError{k, "conflicting environment update operations"}
		}
		removed[k] = true
	}
	return nil
}

func validEnvKey(k string) bool {
	if k == "" || len(k) > maxEnvKey || '0' <= k[0] && k[0] <= '9' {
		return false
	}
	for i := range len(k) {
		switch c := k[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		default:
			return false
		}
	}
	return true
}

// apply returns the environment that an update makes of another.
func (u *EnvUpdate) apply(old map[string]string) (map[string]string, error) {
	if err := u.Check(); err != nil {
		return nil, err
	}
	now := map[string]string{}
	if !u.RemoveAll {
		maps.Copy(now, old)
	}
	for _, k := range u.Remove {
		delete(now, k)
	}
	maps.Copy(now, u.Values)
	if len(now) > maxEnvValues {
		return nil, &EnvError{Reason: "too many stored values"}
	}
	return now, nil
}

// fits checks an environment against the declarations of a module.
func fits(env map[string]string, vars []schema.EnvironmentVar) error {
	var missing []string
	for i := range vars {
		v := &vars[i]
		value, set := env[v.Name]
		switch {
		case set && v.Kind != schema.EnvString && !slices.Contains(v.Values, value):
			return &EnvError{v.Name, "value does not satisfy its declared string constraint"}
		case !set && !v.Optional:
			missing = append(missing, v.Name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return &MissingEnvError{missing}
	}
	return nil
}

// environmentOf reads the stored values.
func environmentOf(r store.Reader) (map[string]string, error) {
	env := map[string]string{}
	for b := range r.Scan(schema.StEnv) {
		var row schema.StEnvRow
		if err := row.Decode(b); err != nil {
			return nil, err
		}
		env[row.Key] = row.Value
	}
	return env, nil
}

// storeEnvironment carries out an update in tx, for the module that is to run. It
// reports whether something changed.
func storeEnvironment(tx *store.Tx, u *EnvUpdate, def *schema.ModuleDef) (changed bool, err error) {
	old, err := environmentOf(tx)
	if err != nil {
		return false, err
	}
	now, err := u.apply(old)
	if err != nil {
		return false, err
	}
	if err := fits(now, def.Environment); err != nil {
		return false, err
	}
	ix := tx.Table(schema.StEnv).UniqueIndexOn(0)
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if value, ok := now[k]; ok && value == old[k] {
			continue
		}
		if _, err := tx.DeletePoint(ix.ID, sats.AppendString(nil, k)); err != nil {
			return false, err
		}
		changed = true
	}
	for _, k := range slices.Sorted(maps.Keys(now)) {
		if value, ok := old[k]; ok && value == now[k] {
			continue
		}
		row := schema.StEnvRow{Key: k, Value: now[k]}
		if _, _, err := tx.Insert(schema.StEnv, row.Append(nil)); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}

// An EnvInfo describes a database's environment, without values.
type EnvInfo struct {
	Program      sats.Hash
	Declarations []schema.EnvironmentVar // ascending by name
	Keys         []string                // stored ones, ascending
}

// Environment describes the environment.
func (db *Database) Environment() (EnvInfo, error) {
	m := db.current.Load()
	v := db.store.View()
	defer v.Close()
	env, err := environmentOf(v)
	if err != nil {
		return EnvInfo{}, err
	}
	return EnvInfo{
		Program:      m.hash,
		Declarations: byName(m.def.Environment, func(v schema.EnvironmentVar) string { return v.Name }),
		Keys:         slices.Sorted(maps.Keys(env)),
	}, nil
}

// SetEnvironment changes values without a new program. Errors: *EnvError,
// *MissingEnvError, ErrEnvConflict if another program than expected runs,
// ErrStopped; nothing has changed then.
func (db *Database) SetEnvironment(ctx context.Context, expected sats.Hash, u EnvUpdate) (UpdateResult, error) {
	db.updating.Lock()
	defer db.updating.Unlock()
	if db.current.Load().hash != expected {
		return UpdateResult{}, ErrEnvConflict
	}
	return db.publishEnvironment(ctx, &u)
}

// publishEnvironment is the publish of values alone: the module runs on, and views
// that read the environment are evaluated again.
func (db *Database) publishEnvironment(ctx context.Context, u *EnvUpdate) (res UpdateResult, err error) {
	var failed error
	err = db.exec.do(context.WithoutCancel(ctx), func(at sats.Timestamp) {
		tx := db.store.Begin()
		var changed bool
		if changed, failed = storeEnvironment(tx, u, db.mod.def); failed != nil || !changed {
			tx.Rollback()
			res.Unchanged = failed == nil
			return
		}
		if err := db.refreshViews(tx, at); err != nil {
			tx.Rollback()
			failed = errEnvViews
			return
		}
		ev := &subscribe.Event{Caller: db.info.Owner, ReducerID: v1.NoReducer, Timestamp: at}
		if res.Offset, failed = db.commit(tx, nil, ev); failed != nil {
			failed = ErrStopped
		}
	})
	return res, errors.Join(err, failed)
}

// moduleServices are the services of a database for the instances of one module.
type moduleServices struct {
	abi.Services
	db *Database
	m  *module // nil while the module describes itself
}

// Env implements abi.Services (spec 03 §5.19). A value is for the module that
// st_module names: one that was replaced must not see what is meant for its
// successor.
func (s *moduleServices) Env(tx *store.Tx, function, key string) (value []byte, declared, set bool) {
	if s.m == nil || strings.Contains(function, ".") { // of a submodule
		return nil, false, false
	}
	i := slices.IndexFunc(s.m.def.Environment, func(v schema.EnvironmentVar) bool { return v.Name == key })
	if i < 0 {
		return nil, false, false
	}
	if tx != nil {
		value, set = s.envIn(tx, key)
	} else {
		v := s.db.store.View()
		defer v.Close()
		value, set = s.envIn(v, key)
	}
	if !set && !s.m.def.Environment[i].Optional {
		abi.Fault("the environment variable %s must have a value and has none", key)
	}
	return value, true, set
}

// envIn reads a value. To a transaction that tracks its reads it looks as if all of
// st_env were read: views depend on every variable.
func (s *moduleServices) envIn(r store.Reader, key string) (value []byte, set bool) {
	program := r.Table(schema.StModule)
	for row := range r.Scan(schema.StModule) {
		if !bytes.Equal(program.Layout.Col(row, stModuleHash), s.m.hash.AppendBSATN(nil)) {
			abi.Fault("the module was replaced by an update; it cannot read the environment any more")
		}
	}
	if tx, ok := r.(*store.Tx); ok {
		tx.ReadTable(schema.StEnv)
	}
	row, ok := r.FindUnique(r.Table(schema.StEnv).UniqueIndexOn(0).ID, sats.AppendString(nil, key))
	if !ok {
		return nil, false
	}
	var env schema.StEnvRow
	if err := env.Decode(row); err != nil {
		abi.Fault("environment variable %s: %v", key, err)
	}
	return []byte(env.Value), true
}

// stModuleHash is the column program_hash of st_module.
const stModuleHash = 3

// EnvHeader returns the text of a Spacetime-Environment header that sets a variable: its
// value as it is, or as a JSON string in ASCII (spec 06 §4.20).
func EnvHeader(name, v string) string {
	bare := strings.IndexFunc(v, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"',\`, c) }) < 0
	if bare {
		return name + "=" + v
	}
	var b strings.Builder
	b.WriteString(name)
	b.WriteString(`="`)
	for _, c := range v {
		switch {
		case c == '"' || c == '\\':
			b.WriteRune('\\')
			b.WriteRune(c)
		case c >= ' ' && c <= '~':
			b.WriteRune(c)
		case c > 0xffff:
			hi, lo := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
