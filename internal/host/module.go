package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A module is a program at work for one database: its definition and the main
// instance, which belongs to the holder of the right to write. The rest is
// immutable.
type module struct {
	kind    ProgramKind
	program abi.Program
	hash    sats.Hash
	def     *schema.ModuleDef

	reducers   map[string]*reducer
	procedures map[string]*procedure
	handlers   map[string]*handler
	init       *reducer // nil: none; likewise the next two
	connect    *reducer
	leave      *reducer
	views      map[string]*view

	services *moduleServices
	// instantiate makes an instance and counts it in instances.
	instantiate func(context.Context) (abi.Instance, error)
	instances   *atomic.Int64
	inst        abi.Instance // nil after a call that spoiled it
	pool        *pool        // of the other instances
}

// A reducer is a function of a module, ready to be called.
type reducer struct {
	*schema.ReducerDef
	args   *sats.Walker // of the parameters; nil if their type is recursive
	counts *txCount
}

// load compiles a program.
func (h *Host) load(kind ProgramKind, program []byte) (abi.Program, error) {
	engine := h.opts.Engines[kind]
	if engine == nil {
		return nil, &ProgramError{fmt.Errorf("this server has no engine for %s programs", kind)}
	}
	limits := h.opts.Limits
	if m := h.opts.InstanceMemory[kind]; m > 0 {
		limits.Memory = m
	}
	p, err := engine.Load(context.Background(), program, abi.LoadOptions{Limits: limits})
	if err != nil {
		return nil, &ProgramError{err}
	}
	return p, nil
}

// newModule makes an instance of a program for a database and reads what the
// module says about itself. The caller keeps the program.
func (db *Database) newModule(kind ProgramKind, p abi.Program, s abi.Services) (*module, error) {
	services := &moduleServices{Services: s, db: db}
	instantiate := func(ctx context.Context) (abi.Instance, error) {
		return db.meter.instance(db, func() (abi.Instance, error) { return p.Instantiate(ctx, services) })
	}
	inst, err := instantiate(context.Background())
	if err != nil {
		return nil, &ProgramError{err}
	}
	def, err := describe(inst)
	if err != nil {
		db.meter.running.Add(-1)
		return nil, &ProgramError{errors.Join(err, inst.Close())}
	}
	m := &module{kind: kind, program: p, hash: p.Hash(), def: def, inst: inst, services: services}
	services.m = m
	m.index()
	m.instantiate, m.instances = instantiate, &db.meter.running
	m.pool = newPool(db, db.host.opts.poolSize(kind), func() (abi.Instance, error) { return instantiate(context.Background()) }, m.discard)
	return m, nil
}

func describe(inst abi.Instance) (*schema.ModuleDef, error) {
	b, err := inst.Describe(context.Background())
	if err != nil {
		return nil, err
	}
	raw, err := schema.DecodeRaw(b)
	if err != nil {
		return nil, fmt.Errorf("the module's description of itself: %w", err)
	}
	return schema.Validate(raw)
}

// index prepares the module's functions for calls.
func (m *module) index() {
	m.reducers = make(map[string]*reducer, len(m.def.Reducers))
	for _, d := range m.def.Reducers {
		r := &reducer{ReducerDef: d}
		if t, err := d.Typespace.Resolve(d.Params); err == nil {
			r.args = sats.NewWalker(t)
		}
		m.reducers[d.Name] = r
	}
	m.procedures = make(map[string]*procedure, len(m.def.Procedures))
	for _, d := range m.def.Procedures {
		m.procedures[d.Name] = &procedure{ProcedureDef: d}
	}
	m.handlers = make(map[string]*handler, len(m.def.HTTPHandlers))
	for _, d := range m.def.HTTPHandlers {
		m.handlers[d.Name] = &handler{HTTPHandlerDef: d}
	}
	of := func(l schema.Lifecycle) *reducer {
		if d := m.def.Lifecycle(l); d != nil {
			return m.reducers[d.Name]
		}
		return nil
	}
	m.views = viewsOf(m.def)
	m.init, m.connect, m.leave = of(schema.LifecycleInit), of(schema.LifecycleOnConnect), of(schema.LifecycleOnDisconnect)
}

// decodeArgs returns the BSATN of a call's arguments, without trailing bytes.
func (r *reducer) decodeArgs(args []byte, isJSON bool) ([]byte, error) {
	var err error
	var n int
	switch {
	case isJSON:
		args, err = sats.ParseJSONArgs(nil, r.Typespace, r.Params, r.Name, sourceNames(args, r.Params, r.ParamCols))
		n = len(args)
	case r.args != nil:
		n, err = r.args.Validate(args)
	default:
		n, err = r.Typespace.Validate(r.Params, args)
	}
	if err != nil {
		return nil, &InvalidArgsError{Kind: "reducer", Name: r.Name, Err: err}
	}
	return args[:n:n], nil
}

// call runs a reducer on the main instance. It belongs to the holder of the right to
// write.
func (m *module) call(ctx context.Context, c *abi.ReducerCall) abi.Outcome {
	if out := m.ready(ctx); out.Status != abi.StatusOK {
		return out
	}
	out := m.inst.CallReducer(ctx, c)
	m.settle(out)
	return out
}

// ready makes a new main instance if the last call has spoiled it. An outcome other
// than StatusOK is that of the call that wanted the instance.
func (m *module) ready(ctx context.Context) abi.Outcome {
	if m.inst == nil {
		inst, err := m.instantiate(ctx)
		if err != nil {
			return abi.Outcome{Status: abi.StatusTrap, Message: abi.FatalErrorText, Err: fmt.Errorf("new instance: %w", err)}
		}
		m.inst = inst
	}
	return abi.Outcome{}
}

// settle drops the main instance if the call that ended so has spoiled it.
func (m *module) settle(out abi.Outcome) {
	if !out.Discard {
		return
	}
	m.discard(m.inst)
	m.inst = nil
}

// discard closes an instance that is not used any more.
func (m *module) discard(inst abi.Instance) {
	m.instances.Add(-1)
	if err := inst.Close(); err != nil {
		m.services.db.logger.Warn("an instance does not close", slog.Any("error", err))
	}
}

// hasProcedure reports whether there is a procedure of that name for the caller.
func (m *module) hasProcedure(name string, who Caller) bool {
	p := m.procedures[name]
	return p != nil && (!p.Private || who.IsOwner)
}

// close ends the module's instances, those that procedures run on as soon as they
// have ended. The program belongs to whoever loaded it.
func (m *module) close() error { return m.retire(nil) }

// retire is close that calls drained when the last instance has ended.
func (m *module) retire(drained func()) error {
	if m == nil {
		return nil
	}
	var err error
	if m.inst != nil {
		m.instances.Add(-1)
		err = m.inst.Close()
		m.inst = nil
	}
	m.pool.close(drained)
	return err
}
