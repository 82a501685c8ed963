package guest

import "unsafe"

// The raw imports of spec 03 §4. None keeps a pointer, so what they point to may stay on the stack.

//go:wasmimport spacetime_10.0 table_id_from_name
//go:noescape
func tableIDFromName(name unsafe.Pointer, size uint32, out *uint32) uint32

//go:wasmimport spacetime_10.0 index_id_from_name
//go:noescape
func indexIDFromName(name unsafe.Pointer, size uint32, out *uint32) uint32

//go:wasmimport spacetime_10.0 datastore_table_row_count
//go:noescape
func tableRowCount(table uint32, out *uint64) uint32

//go:wasmimport spacetime_10.0 datastore_table_scan_bsatn
//go:noescape
func tableScan(table uint32, out *uint32) uint32

//go:wasmimport spacetime_10.0 datastore_index_scan_range_bsatn
//go:noescape
func indexScanRange(index uint32, prefix unsafe.Pointer, prefixSize, prefixCols uint32,
	from unsafe.Pointer, fromSize uint32, to unsafe.Pointer, toSize uint32, out *uint32) uint32

//go:wasmimport spacetime_10.4 datastore_index_scan_point_bsatn
//go:noescape
func indexScanPoint(index uint32, key unsafe.Pointer, size uint32, out *uint32) uint32

//go:wasmimport spacetime_10.0 row_iter_bsatn_advance
//go:noescape
func rowIterAdvance(iter uint32, buf unsafe.Pointer, size *uint32) int32

//go:wasmimport spacetime_10.0 row_iter_bsatn_close
func rowIterClose(iter uint32) uint32

//go:wasmimport spacetime_10.0 datastore_insert_bsatn
//go:noescape
func datastoreInsert(table uint32, row unsafe.Pointer, size *uint32) uint32

//go:wasmimport spacetime_10.0 datastore_update_bsatn
//go:noescape
func datastoreUpdate(table, index uint32, row unsafe.Pointer, size *uint32) uint32

//go:wasmimport spacetime_10.0 datastore_delete_by_index_scan_range_bsatn
//go:noescape
func deleteByRange(index uint32, prefix unsafe.Pointer, prefixSize, prefixCols uint32,
	from unsafe.Pointer, fromSize uint32, to unsafe.Pointer, toSize uint32, out *uint32) uint32

//go:wasmimport spacetime_10.4 datastore_delete_by_index_scan_point_bsatn
//go:noescape
func deleteByPoint(index uint32, key unsafe.Pointer, size uint32, out *uint32) uint32

//go:wasmimport spacetime_10.0 datastore_delete_all_by_eq_bsatn
//go:noescape
func deleteAllByEq(table uint32, rel unsafe.Pointer, size uint32, out *uint32) uint32

//go:wasmimport spacetime_10.5 datastore_clear
//go:noescape
func datastoreClear(table uint32, out *uint64) uint32

//go:wasmimport spacetime_10.0 bytes_source_read
//go:noescape
func bytesSourceRead(source uint32, buf unsafe.Pointer, size *uint32) int32

//go:wasmimport spacetime_10.0 bytes_sink_write
//go:noescape
func bytesSinkWrite(sink uint32, buf unsafe.Pointer, size *uint32) uint32

//go:wasmimport spacetime_10.0 console_log
//go:noescape
func consoleLog(level uint32, target unsafe.Pointer, targetSize uint32, file unsafe.Pointer, fileSize uint32,
	line uint32, message unsafe.Pointer, messageSize uint32)

//go:wasmimport spacetime_10.0 identity
//go:noescape
func identity(out *[32]byte)

//go:wasmimport spacetime_10.1 bytes_source_remaining_length
//go:noescape
func bytesSourceRemaining(source uint32, out *uint32) int32

//go:wasmimport spacetime_10.2 get_jwt
//go:noescape
func getJWT(conn *[16]byte, out *uint32) uint32

//go:wasmimport spacetime_10.3 procedure_sleep_until
func sleepUntil(micros int64) int64

//go:wasmimport spacetime_10.3 procedure_start_mut_tx
//go:noescape
func startTx(out *int64) uint32

//go:wasmimport spacetime_10.3 procedure_commit_mut_tx
func commitTx() uint32

//go:wasmimport spacetime_10.3 procedure_abort_mut_tx
func abortTx() uint32

//go:wasmimport spacetime_10.3 procedure_http_request
//go:noescape
func httpRequest(request unsafe.Pointer, requestSize uint32, body unsafe.Pointer, bodySize uint32, out *[2]uint32) uint32

//go:wasmimport spacetime_10.6 env_get
//go:noescape
func envGet(key unsafe.Pointer, size uint32, out *uint32) uint32
