//go:build v8 && cgo

package v8

import (
	"slices"

	"github.com/stdbgo/spacetime/engine/internal/jshost"
)

// Functions that both major versions have, spec 04 §4.1.
var commonFunctions = []hostFunction{
	{"table_id_from_name", "s", 1, sysTableID},
	{"index_id_from_name", "s", 1, sysIndexID},
	{"datastore_table_row_count", "u", 1, sysRowCount},
	{"datastore_table_scan_bsatn", "u", 1, sysTableScan},
	{"row_iter_bsatn_close", "u", 1, sysIterClose},
	{"volatile_nonatomic_schedule_immediate", "sb", 2, sysScheduleImmediate},
	{"console_log", "us", 2, sysConsoleLog},
	{"console_timer_start", "s", 1, sysTimerStart},
	{"console_timer_end", "u", 1, sysTimerEnd},
	{"get_jwt_payload", "c", 1, sysJWT},
}

var procedureFunctions = []hostFunction{
	{"procedure_http_request", "bt", 2, sysHTTPRequest},
	{"procedure_start_mut_tx", "", 0, sysStartTx},
	{"procedure_commit_mut_tx", "", 0, sysCommitTx},
	{"procedure_abort_mut_tx", "", 0, sysAbortTx},
}

// register is the register_hooks of a module; the engine runs it.
func register(hooks ...string) []hostFunction {
	signature := "R "
	for _, h := range hooks {
		signature += h + " "
	}
	return []hostFunction{{"register_hooks", signature, 1, nil}}
}

var sysModules = []sysModule{
	{version: "1.0", functions: slices.Concat(commonFunctions, register(jshost.HookDescribe, jshost.HookReducer), []hostFunction{
		{"identity", "", 0, sysIdentityObject},
		{"datastore_index_scan_range_bsatn", "ubhbb", 5, sysScanRangeV1},
		{"datastore_delete_by_index_scan_range_bsatn", "ubhbb", 5, sysDeleteRangeV1},
		{"row_iter_bsatn_advance", "uu", 2, sysIterAdvanceV1},
		{"datastore_insert_bsatn", "ub", 2, sysInsertV1},
		{"datastore_update_bsatn", "uub", 3, sysUpdateV1},
		{"datastore_delete_all_by_eq_bsatn", "ub", 2, sysDeleteAllV1},
	})},
	{version: "1.1", functions: register(jshost.HookView, jshost.HookViewAnon)},
	{version: "1.2", functions: slices.Concat(register(jshost.HookProcedure), procedureFunctions)},
	{version: "1.3", functions: []hostFunction{
		{"datastore_index_scan_point_bsatn", "ub", 2, sysScanPointV1},
		{"datastore_delete_by_index_scan_point_bsatn", "ub", 2, sysDeletePointV1},
	}},
	{version: "2.0", hooks: true, functions: slices.Concat(commonFunctions, procedureFunctions, []hostFunction{
		{"identity", "", 0, sysIdentity},
		{"datastore_index_scan_range_bsatn", "uBuhuu", 6, sysScanRange},
		{"datastore_delete_by_index_scan_range_bsatn", "uBuhuu", 6, sysDeleteRange},
		{"datastore_index_scan_point_bsatn", "uBp", 3, sysScanPoint},
		{"datastore_delete_by_index_scan_point_bsatn", "uBp", 3, sysDeletePoint},
		{"row_iter_bsatn_advance", "uB", 2, sysIterAdvance},
		{"datastore_insert_bsatn", "uBp", 3, sysInsert},
		{"datastore_update_bsatn", "uuBp", 4, sysUpdate},
		{"datastore_delete_all_by_eq_bsatn", "uBp", 3, sysDeleteAll},
	})},
	{version: "2.1", functions: []hostFunction{{"datastore_clear", "u", 1, sysClear}}},
	{version: "2.2", functions: []hostFunction{{"env_get", "s", 1, sysEnvGet}}},
}
