package guest

import "unsafe"

// A Host is what an instance calls: here the imports, so a Host has no data.
type Host struct{}

// somewhere is what a pointer to nothing points to: the host takes no null pointers.
var somewhere byte

func bytesAt(b []byte) (unsafe.Pointer, uint32) {
	if len(b) == 0 {
		return unsafe.Pointer(&somewhere), 0
	}
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

func stringAt(s string) (unsafe.Pointer, uint32) {
	if len(s) == 0 {
		return unsafe.Pointer(&somewhere), 0
	}
	return unsafe.Pointer(unsafe.StringData(s)), uint32(len(s))
}

func (Host) TableID(name string) (id uint32, e Errno) {
	p, n := stringAt(name)
	e = Errno(tableIDFromName(p, n, &id))
	return id, e
}

func (Host) IndexID(name string) (id uint32, e Errno) {
	p, n := stringAt(name)
	e = Errno(indexIDFromName(p, n, &id))
	return id, e
}

func (Host) RowCount(table uint32) (n uint64, e Errno) {
	e = Errno(tableRowCount(table, &n))
	return n, e
}

func (Host) ScanTable(table uint32) (iter uint32, e Errno) {
	e = Errno(tableScan(table, &iter))
	return iter, e
}

func (Host) ScanPoint(index uint32, key []byte) (iter uint32, e Errno) {
	p, n := bytesAt(key)
	e = Errno(indexScanPoint(index, p, n, &iter))
	return iter, e
}

func (Host) ScanRange(index uint32, prefix []byte, prefixCols int, from, to []byte) (iter uint32, e Errno) {
	p, pn := bytesAt(prefix)
	f, fn := bytesAt(from)
	t, tn := bytesAt(to)
	e = Errno(indexScanRange(index, p, pn, uint32(prefixCols), f, fn, t, tn, &iter))
	return iter, e
}

func (Host) Advance(iter uint32, buf []byte) (n int, more bool, e Errno) {
	p, size := bytesAt(buf)
	status := rowIterAdvance(iter, p, &size)
	if status > 0 {
		return int(size), false, Errno(status)
	}
	return int(size), status == 0, OK
}

func (Host) CloseIter(iter uint32) { rowIterClose(iter) }

func (Host) Insert(table uint32, row []byte) (n int, e Errno) {
	p, size := bytesAt(row)
	e = Errno(datastoreInsert(table, p, &size))
	return int(size), e
}

func (Host) Update(table, index uint32, row []byte) (n int, e Errno) {
	p, size := bytesAt(row)
	e = Errno(datastoreUpdate(table, index, p, &size))
	return int(size), e
}

func (Host) DeletePoint(index uint32, key []byte) (n uint32, e Errno) {
	p, size := bytesAt(key)
	e = Errno(deleteByPoint(index, p, size, &n))
	return n, e
}

func (Host) DeleteRange(index uint32, prefix []byte, prefixCols int, from, to []byte) (n uint32, e Errno) {
	p, pn := bytesAt(prefix)
	f, fn := bytesAt(from)
	t, tn := bytesAt(to)
	e = Errno(deleteByRange(index, p, pn, uint32(prefixCols), f, fn, t, tn, &n))
	return n, e
}

func (Host) DeleteEqual(table uint32, rel []byte) (n uint32, e Errno) {
	p, size := bytesAt(rel)
	e = Errno(deleteAllByEq(table, p, size, &n))
	return n, e
}

func (Host) Clear(table uint32) (n uint64, e Errno) {
	e = Errno(datastoreClear(table, &n))
	return n, e
}

func (Host) Log(level uint32, target, file string, line uint32, message []byte) {
	t, tn := stringAt(target)
	f, fn := stringAt(file)
	m, mn := bytesAt(message)
	consoleLog(level, t, tn, f, fn, line, m, mn)
}

func (Host) Identity(id *[32]byte) { identity(id) }

func (Host) JWT(conn *[16]byte) ([]byte, Errno) {
	var source uint32
	if e := Errno(getJWT(conn, &source)); e != OK {
		return nil, e
	}
	return readAll(source), OK
}

func (Host) Env(key string) (value []byte, set bool, e Errno) {
	p, n := stringAt(key)
	var source uint32
	if e := Errno(envGet(p, n, &source)); e != OK || source == 0 {
		return nil, false, e
	}
	return readAll(source), true, OK
}

func (Host) StartTx() (now int64, e Errno) {
	e = Errno(startTx(&now))
	return now, e
}

func (Host) CommitTx() Errno { return Errno(commitTx()) }

func (Host) AbortTx() Errno { return Errno(abortTx()) }

func (Host) SleepUntil(micros int64) int64 { return sleepUntil(micros) }

func (Host) HTTP(request, body []byte) (response, responseBody []byte, failure string, e Errno) {
	r, rn := bytesAt(request)
	b, bn := bytesAt(body)
	var out [2]uint32
	e = Errno(httpRequest(r, rn, b, bn, &out))
	switch e {
	case OK:
		return readAll(out[0]), readAll(out[1]), "", OK
	case HTTPFailed:
		text := readAll(out[0])
		if len(text) >= 4 { // the length of a BSATN string
			failure = string(text[4:])
		}
	}
	return nil, nil, failure, e
}

// readAll returns everything a source holds in a buffer of its own.
func readAll(source uint32) []byte {
	if source == 0 {
		return nil
	}
	var size uint32
	if bytesSourceRemaining(source, &size) != 0 {
		return nil
	}
	b := make([]byte, size)
	p, n := bytesAt(b)
	bytesSourceRead(source, p, &n)
	return b[:n]
}
