package js

import (
	"modernc.org/libc"
	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
	"github.com/stdbgo/spacetime/internal/abi"
)

// A hostFunction is one function of a spacetime:sys module. Its run returns a value, or throws and returns exception, or
// returns an Errno, which is then thrown in the way of the module's major version.
type hostFunction struct {
	name  string
	arity int
	run   func(in *instance, a args) (value, abi.Errno)
	major int // of the module it belongs to
}

// A sysModule is one module that programs may import (spec 04 §2.2). A minor version holds its additions only.
type sysModule struct {
	spec      string
	hooks     bool // exports the symbol moduleHooks
	functions []hostFunction
	first     int // index of the first function in hostFunctions
}

// Functions that both major versions have, spec 04 §4.1.
var commonFunctions = []hostFunction{
	{name: "table_id_from_name", arity: 1, run: sysTableID},
	{name: "index_id_from_name", arity: 1, run: sysIndexID},
	{name: "datastore_table_row_count", arity: 1, run: sysRowCount},
	{name: "datastore_table_scan_bsatn", arity: 1, run: sysTableScan},
	{name: "row_iter_bsatn_close", arity: 1, run: sysIterClose},
	{name: "volatile_nonatomic_schedule_immediate", arity: 2, run: sysScheduleImmediate},
	{name: "console_log", arity: 2, run: sysConsoleLog},
	{name: "console_timer_start", arity: 1, run: sysTimerStart},
	{name: "console_timer_end", arity: 1, run: sysTimerEnd},
	{name: "get_jwt_payload", arity: 1, run: sysJWT},
}

var procedureFunctions = []hostFunction{
	{name: "procedure_http_request", arity: 2, run: sysHTTPRequest},
	{name: "procedure_start_mut_tx", arity: 0, run: sysStartTx},
	{name: "procedure_commit_mut_tx", arity: 0, run: sysCommitTx},
	{name: "procedure_abort_mut_tx", arity: 0, run: sysAbortTx},
}

// sysModules and hostFunctions, all functions in one list, are filled by init: functions refer to them.
var (
	sysModules    map[string]*sysModule
	hostFunctions []*hostFunction
)

func init() {
	register := func(hooks ...string) []hostFunction {
		return []hostFunction{{name: "register_hooks", arity: 1, run: func(in *instance, a args) (value, abi.Errno) {
			return in.registerHooks(a, hooks)
		}}}
	}
	join := func(lists ...[]hostFunction) (all []hostFunction) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	sysModules = map[string]*sysModule{}
	for _, m := range []*sysModule{
		{spec: "1.0", functions: join(commonFunctions, register(jshost.HookDescribe, jshost.HookReducer), []hostFunction{
			{name: "identity", run: sysIdentityObject},
			{name: "datastore_index_scan_range_bsatn", arity: 5, run: sysScanRangeV1},
			{name: "datastore_delete_by_index_scan_range_bsatn", arity: 5, run: sysDeleteRangeV1},
			{name: "row_iter_bsatn_advance", arity: 2, run: sysIterAdvanceV1},
			{name: "datastore_insert_bsatn", arity: 2, run: sysInsertV1},
			{name: "datastore_update_bsatn", arity: 3, run: sysUpdateV1},
			{name: "datastore_delete_all_by_eq_bsatn", arity: 2, run: sysDeleteAllV1},
		})},
		{spec: "1.1", functions: register(jshost.HookView, jshost.HookViewAnon)},
		{spec: "1.2", functions: join(register(jshost.HookProcedure), procedureFunctions)},
		{spec: "1.3", functions: []hostFunction{
			{name: "datastore_index_scan_point_bsatn", arity: 2, run: sysScanPointV1},
			{name: "datastore_delete_by_index_scan_point_bsatn", arity: 2, run: sysDeletePointV1},
		}},
		{spec: "2.0", hooks: true, functions: join(commonFunctions, procedureFunctions, []hostFunction{
			{name: "identity", run: sysIdentity},
			{name: "datastore_index_scan_range_bsatn", arity: 6, run: sysScanRange},
			{name: "datastore_delete_by_index_scan_range_bsatn", arity: 6, run: sysDeleteRange},
			{name: "datastore_index_scan_point_bsatn", arity: 3, run: sysScanPoint},
			{name: "datastore_delete_by_index_scan_point_bsatn", arity: 3, run: sysDeletePoint},
			{name: "row_iter_bsatn_advance", arity: 2, run: sysIterAdvance},
			{name: "datastore_insert_bsatn", arity: 3, run: sysInsert},
			{name: "datastore_update_bsatn", arity: 4, run: sysUpdate},
			{name: "datastore_delete_all_by_eq_bsatn", arity: 3, run: sysDeleteAll},
		})},
		{spec: "2.1", functions: []hostFunction{{name: "datastore_clear", arity: 1, run: sysClear}}},
		{spec: "2.2", functions: []hostFunction{{name: "env_get", arity: 1, run: sysEnvGet}}},
	} {
		sysModules["spacetime:sys@"+m.spec] = m
		m.first = len(hostFunctions)
		for i := range m.functions {
			f := &m.functions[i]
			f.major = int(m.spec[0] - '0')
			hostFunctions = append(hostFunctions, f)
		}
	}
}

// provideModules tells the engine where imports lead.
func (m *vm) provideModules() {
	m.modules = map[uintptr]*sysModule{}
	m.hooks = undefined
	m.normalizeFunc = func(_ *libc.TLS, _, _, name, _ uintptr) uintptr {
		if !m.linking {
			m.throw(m.plainError, "Not supported")
			return 0
		}
		return lib.Xjs_strdup(m.tls, m.ctx, name)
	}
	m.loadFunc = func(_ *libc.TLS, _, name, _ uintptr) uintptr { return m.loadModule(libc.GoString(name)) }
	m.exportFunc = func(_ *libc.TLS, _, module uintptr) int32 { return m.fillModule(module) }
	m.hostFunc = func(_ *libc.TLS, _ uintptr, _ value, argc int32, argv uintptr, magic int32) value {
		f := hostFunctions[magic]
		entered := m.heap.gate.enter()
		v := m.host(f, args{m, argc, argv, f.major})
		m.heap.gate.leave(entered)
		return v
	}
	lib.XJS_SetModuleLoaderFunc(m.tls, m.rt, functionPointer(&m.normalizeFunc), functionPointer(&m.loadFunc), 0)
}

// loadModule makes the engine's record of a module, 0 if an exception is pending.
func (m *vm) loadModule(spec string) uintptr {
	s := sysModules[spec]
	if s == nil {
		m.throw(m.typeError, jshost.UnknownModule(spec))
		return 0
	}
	module := lib.XJS_NewCModule(m.tls, m.ctx, m.cstring(spec), functionPointer(&m.exportFunc))
	if module == 0 {
		return 0
	}
	m.modules[module] = s
	for i := range s.functions {
		if lib.XJS_AddModuleExport(m.tls, m.ctx, module, m.cstring(s.functions[i].name)) < 0 {
			return 0
		}
	}
	if s.hooks && lib.XJS_AddModuleExport(m.tls, m.ctx, module, m.cstring(jshost.ExportHooks)) < 0 {
		return 0
	}
	return module
}

// fillModule gives a module's exports their values. It returns 0, or -1 if an exception is pending.
func (m *vm) fillModule(module uintptr) int32 {
	s := m.modules[module]
	for i := range s.functions {
		f := &s.functions[i]
		v := lib.XJS_NewCFunction2(m.tls, m.ctx, functionPointer(&m.hostFunc), m.cstring(""), int32(f.arity),
			lib.EJS_CFUNC_generic_magic, int32(s.first+i))
		if isException(v) || lib.XJS_SetModuleExport(m.tls, m.ctx, module, m.cstring(f.name), v) < 0 {
			return -1
		}
	}
	if s.hooks && lib.XJS_SetModuleExport(m.tls, m.ctx, module, m.cstring(jshost.ExportHooks), m.dup(m.hooks)) < 0 {
		return -1
	}
	return 0
}
