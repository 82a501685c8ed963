package native

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi/enginetest"
	"github.com/stdbgo/spacetime/internal/guest"
)

// scriptModule interprets the scripts of enginetest.
type scriptModule struct{}

func (scriptModule) Definition() ([]byte, error)             { return []byte("scripts"), nil }
func (scriptModule) Instantiate(h guest.Host) guest.Instance { return &scriptInstance{h: h} }

type scriptInstance struct {
	h    guest.Host
	iter uint32
}

// A scriptCall is a running script with its results.
type scriptCall struct {
	*guest.Call
	result, answer []byte
	query          string
}

func (in *scriptInstance) CallReducer(c *guest.Call) (string, bool) {
	if err := in.run(&scriptCall{Call: c}); err != nil {
		return err.Error(), false
	}
	return "", true
}

func (in *scriptInstance) CallView(c *guest.Call) ([]byte, string, bool) {
	call := &scriptCall{Call: c}
	if err := in.run(call); err != nil {
		return nil, err.Error(), false
	}
	if call.query != "" {
		b := binary.LittleEndian.AppendUint32([]byte{1}, uint32(len(call.query)))
		return append(b, call.query...), "", true
	}
	return append([]byte{0}, call.result...), "", true
}

func (in *scriptInstance) CallProcedure(c *guest.Call) ([]byte, string, bool) {
	call := &scriptCall{Call: c}
	if err := in.run(call); err != nil {
		return nil, err.Error(), false
	}
	return call.result, "", true
}

func (in *scriptInstance) CallHandler(c *guest.Call) ([]byte, []byte, string, bool) {
	call := &scriptCall{Call: c}
	if err := in.run(call); err != nil {
		return nil, nil, err.Error(), false
	}
	return call.result, call.answer, "", true
}

func (in *scriptInstance) log(text string) {
	in.h.Log(guest.LevelInfo, "", "", guest.NoLine, []byte(text))
}

func (in *scriptInstance) run(call *scriptCall) error {
	const table = 4096
	for _, step := range enginetest.Decode(call.Args) {
		operand := []byte(step.Operand)
		switch step.Op {
		case enginetest.OpLog:
			in.log(step.Operand)
			continue
		case enginetest.OpWork:
			for {
				_, _ = in.h.RowCount(table)
			}
		case enginetest.OpLeak:
			for {
				_, _ = in.h.ScanTable(table)
			}
		case enginetest.OpPanic:
			panic("panic")
		case enginetest.OpFail:
			return errors.New(step.Operand)
		case enginetest.OpTimer, enginetest.OpSchedule:
			in.log("?") // the SDK has no use for these
			continue
		}
		data, e := in.step(call, step.Op, operand)
		in.log(string(rune('@'+e)) + data)
	}
	return nil
}

// step carries out an operation that the host answers.
func (in *scriptInstance) step(call *scriptCall, op byte, operand []byte) (data string, e guest.Errno) {
	const table = 4096
	switch op {
	case enginetest.OpTable:
		_, e = in.h.TableID(string(operand))
	case enginetest.OpCount:
		var n uint64
		if n, e = in.h.RowCount(table); e == guest.OK {
			data = string(rune('0' + n))
		}
	case enginetest.OpScan:
		in.iter, e = in.h.ScanTable(table)
	case enginetest.OpAdvance:
		buf := make([]byte, 1000)
		n := 0
		n, _, e = in.h.Advance(in.iter, buf)
		data = string(buf[:n])
	case enginetest.OpClose:
		if _, _, e = in.h.Advance(in.iter, nil); e != guest.OK { // CloseIter does not tell
			return "", e
		}
		in.h.CloseIter(in.iter)
	case enginetest.OpInsert:
		_, e = in.h.Insert(table, operand)
	case enginetest.OpClear:
		_, e = in.h.Clear(table)
	case enginetest.OpJWT:
		var claims []byte
		claims, e = in.h.JWT(&[16]byte{1})
		data = string(claims)
	case enginetest.OpEnv:
		value, set, e := in.h.Env(string(operand))
		if e == guest.OK && !set {
			return "-", e
		}
		return string(value), e
	case enginetest.OpSleep:
		in.h.SleepUntil(int64(binary.LittleEndian.Uint64(operand)))
	case enginetest.OpStart:
		_, e = in.h.StartTx()
	case enginetest.OpCommit:
		e = in.h.CommitTx()
	case enginetest.OpAbort:
		e = in.h.AbortTx()
	case enginetest.OpHTTP:
		response, body, failure, e := in.h.HTTP(operand, []byte("hi"))
		return string(response) + string(body) + failure, e
	case enginetest.OpResult:
		call.result = operand
	case enginetest.OpQuery:
		call.query = string(operand)
	case enginetest.OpBody:
		call.answer = operand
	case enginetest.OpSender:
		data = string(call.Sender[:1])
	case enginetest.OpRequest:
		data = string(call.Body)
	case enginetest.OpToken:
		data = string(call.JWT)
	default:
		panic("no such operation")
	}
	return data, e
}

func TestConformance(t *testing.T) {
	register(t, scriptModule{})
	program, err := Program()
	if err != nil {
		t.Fatal(err)
	}
	enginetest.Run(t, enginetest.Subject{Engine: new(Engine), Program: program, Chapter: "03", LoopsForEver: true})
}
