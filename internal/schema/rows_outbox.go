package schema

import "github.com/stdbgo/spacetime/sats"

// The rows by which outboxes and their receivers keep count (spec 08 §38).

// A ResultStatus says how a call from an outbox ended. The values are those of the
// columns result_status.
type ResultStatus uint8

const (
	ResultOk     ResultStatus = 1
	ResultErr    ResultStatus = 2 // the payload is the text
	ResultBudget ResultStatus = 3 // out of energy; the payload is the text
)

// StOutboundMsgRow is a row of st_outbound_msg: a row of an outbox that is not yet
// done with.
type StOutboundMsgRow struct {
	StreamID, MsgID, Seq uint64 // MsgID is the primary key of the outbox row
	Retries              uint32
	TransportError       *string       // why the last attempt failed; nil: none did
	Status               *ResultStatus // nil: no answer yet
	Payload              []byte        // of an answer
}

func (s *StOutboundMsgRow) Append(b []byte) []byte {
	b = sats.AppendU64(sats.AppendU64(sats.AppendU64(b, s.StreamID), s.MsgID), s.Seq)
	b = sats.AppendU32(b, s.Retries)
	if s.TransportError == nil {
		b = sats.AppendNone(b)
	} else {
		b = sats.AppendString(sats.AppendSome(b), *s.TransportError)
	}
	if s.Status == nil {
		return sats.AppendNone(sats.AppendNone(b))
	}
	b = append(sats.AppendSome(b), byte(*s.Status))
	return sats.AppendBytes(sats.AppendSome(b), s.Payload)
}

func (s *StOutboundMsgRow) Decode(row []byte) error {
	return decodeRow("st_outbound_msg", row, func(r *sats.Reader) {
		*s = StOutboundMsgRow{StreamID: r.U64(), MsgID: r.U64(), Seq: r.U64(), Retries: r.U32(), TransportError: r.OptStr()}
		if r.Option() {
			status := ResultStatus(r.U8())
			s.Status = &status
		}
		if r.Option() {
			s.Payload = r.Bytes()
		}
	})
}

// StInboundStreamRow is a row of st_inbound_stream: up to which number the calls of
// a stream have been decided.
type StInboundStreamRow struct {
	Sender            sats.Identity
	StreamID, Applied uint64
}

func (s *StInboundStreamRow) Append(b []byte) []byte {
	return sats.AppendU64(sats.AppendU64(s.Sender.AppendBSATN(b), s.StreamID), s.Applied)
}

func (s *StInboundStreamRow) Decode(row []byte) error {
	return decodeRow("st_inbound_stream", row, func(r *sats.Reader) {
		*s = StInboundStreamRow{Sender: r.Identity(), StreamID: r.U64(), Applied: r.U64()}
	})
}

// StInboundMsgRow is a row of st_inbound_msg: the outcome of a call, kept until the
// sender knows it.
type StInboundMsgRow struct {
	Sender        sats.Identity
	StreamID, Seq uint64
	Status        ResultStatus
	Payload       []byte
}

func (s *StInboundMsgRow) Append(b []byte) []byte {
	b = sats.AppendU64(sats.AppendU64(s.Sender.AppendBSATN(b), s.StreamID), s.Seq)
	return sats.AppendBytes(append(b, byte(s.Status)), s.Payload)
}

func (s *StInboundMsgRow) Decode(row []byte) error {
	return decodeRow("st_inbound_msg", row, func(r *sats.Reader) {
		*s = StInboundMsgRow{Sender: r.Identity(), StreamID: r.U64(), Seq: r.U64(), Status: ResultStatus(r.U8()), Payload: r.Bytes()}
	})
}
