package guest

import (
	"encoding/binary"
	"unsafe"
)

// instance is the one instance of this WebAssembly instance; __setup__ makes it.
var instance Instance

// call and args are reused by every call.
var (
	call Call
	args = make([]byte, 0, 4096)
)

// maxKeptArgs is the largest argument buffer kept for later calls.
const maxKeptArgs = 1 << 20

// setup has the definition checked, so that whoever publishes the module reads what is wrong with it.
//
//go:wasmexport __setup__
func setup(sink uint32) int32 {
	if registered == nil {
		return fail(sink, "the program does not use package module")
	}
	if _, err := registered.Definition(); err != nil {
		return fail(sink, err.Error())
	}
	instance = registered.Instantiate(Host{})
	return 0
}

//go:wasmexport __describe_module__
func describe(sink uint32) {
	definition, err := registered.Definition()
	if err == nil {
		write(sink, definition)
	}
}

//go:wasmexport __call_reducer__
func callReducer(id uint32, s0, s1, s2, s3, c0, c1 uint64, timestamp int64, source, sink uint32) int32 {
	call.ID, call.Timestamp = id, timestamp
	putWords(call.Sender[:], s0, s1, s2, s3)
	putWords(call.ConnectionID[:], c0, c1)
	call.Args = read(source)
	text, ok := instance.CallReducer(&call)
	if cap(args) > maxKeptArgs {
		args = make([]byte, 0, 4096)
	}
	if !ok {
		return fail(sink, text)
	}
	return 0
}

// viewCall is reused by every view. It is not call, as a view may be evaluated while a procedure commits.
var viewCall Call

//go:wasmexport __call_view__
func callView(id uint32, s0, s1, s2, s3 uint64, source, sink uint32) int32 {
	viewCall = Call{ID: id, Args: readAll(source)}
	putWords(viewCall.Sender[:], s0, s1, s2, s3)
	return evaluate(sink)
}

//go:wasmexport __call_view_anon__
func callViewAnon(id, source, sink uint32) int32 {
	viewCall = Call{ID: id, Args: readAll(source), Anonymous: true}
	return evaluate(sink)
}

func evaluate(sink uint32) int32 {
	result, text, ok := instance.CallView(&viewCall)
	if !ok {
		return fail(sink, text)
	}
	write(sink, result)
	const withHeader = 2
	return withHeader
}

//go:wasmexport __call_procedure__
func callProcedure(id uint32, s0, s1, s2, s3, c0, c1 uint64, timestamp int64, source, sink uint32) int32 {
	call := Call{ID: id, Timestamp: timestamp, Args: readAll(source)}
	putWords(call.Sender[:], s0, s1, s2, s3)
	putWords(call.ConnectionID[:], c0, c1)
	result, text, ok := instance.CallProcedure(&call)
	if !ok {
		return fail(sink, text)
	}
	write(sink, result)
	return 0
}

//go:wasmexport __call_http_handler__
func callHandler(id uint32, s0, s1, s2, s3 uint64, jwt uint32, timestamp int64, request, requestBody,
	responseSink, bodySink uint32) int32 {
	call := Call{ID: id, Timestamp: timestamp, Args: readAll(request), Body: readAll(requestBody), JWT: readAll(jwt)}
	putWords(call.Sender[:], s0, s1, s2, s3)
	response, body, text, ok := instance.CallHandler(&call)
	if !ok {
		return fail(responseSink, text)
	}
	write(responseSink, response)
	write(bodySink, body)
	return 0
}

func putWords(b []byte, words ...uint64) {
	for i, w := range words {
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
}

// read returns everything a source holds, in args. Source 0 is empty (spec 03 §7.1).
func read(source uint32) []byte {
	args = args[:0]
	for source != 0 {
		if len(args) == cap(args) {
			args = append(args, 0)[:len(args)]
		}
		room := args[len(args):cap(args)]
		size := uint32(len(room))
		status := bytesSourceRead(source, unsafe.Pointer(unsafe.SliceData(room)), &size)
		if status > 0 {
			panic("module: the host does not know its own source of arguments")
		}
		args = args[:len(args)+int(size)]
		if status < 0 {
			break
		}
	}
	return args
}

func fail(sink uint32, text string) int32 {
	write(sink, unsafe.Slice(unsafe.StringData(text), len(text)))
	return 1
}

func write(sink uint32, b []byte) {
	for len(b) > 0 {
		p, size := bytesAt(b)
		if bytesSinkWrite(sink, p, &size) != 0 || size == 0 {
			return
		}
		b = b[size:]
	}
}
