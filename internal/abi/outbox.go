package abi

import (
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// RecordOutbox notes in tx that row, which a module has just inserted into the outbox def, is to be delivered (spec 08 §38.1).
// A row that waits for its delivery already is not noted again.
func RecordOutbox(tx *store.Tx, def *schema.Table, row []byte, at sats.Timestamp) error {
	target := def.Layout.Col(row, int(def.Outbox.TargetCol))
	message := sats.NewReader(def.Layout.Col(row, int(*def.PrimaryKey))).U64()
	stream, err := OutboundStream(tx, def.ID, target, uint64(max(at, 1)))
	if err != nil {
		return err
	}
	key := sats.AppendU64(sats.AppendU64(nil, stream.ID), message)
	if _, pending := tx.FindUnique(schema.IxOutboundMsgStreamMsg, key); pending {
		return nil
	}
	m := schema.StOutboundMsgRow{StreamID: stream.ID, MsgID: message, Seq: stream.NextSeq}
	if _, _, err := tx.Insert(schema.StOutboundMsg, m.Append(nil)); err != nil {
		return err
	}
	stream.NextSeq++
	_, _, err = tx.Update(schema.StOutboundStream, schema.IxOutboundStreamID, stream.Append(nil))
	return err
}

// OutboundStream finds the stream of an outbox to a target, the BSATN of an identity, or makes one whose id is at least least.
//
// Receivers remember streams by their ids, and a database that is cleared keeps its identity. So ids come from the clock, not
// from a sequence that begins anew: a receiver would take the first messages for repetitions of old ones.
func OutboundStream(tx *store.Tx, outbox schema.TableID, target []byte, least uint64) (s schema.StOutboundStreamRow, err error) {
	key := append(sats.AppendU32(nil, uint32(outbox)), target...)
	if row, ok := tx.FindUnique(schema.IxOutboundStreamTableTarget, key); ok {
		return s, s.Decode(row)
	}
	s = schema.StOutboundStreamRow{ID: least, OutboxTableID: outbox, Target: sats.NewReader(target).Identity(), NextSeq: 1}
	for {
		if _, taken := tx.FindUnique(schema.IxOutboundStreamID, sats.AppendU64(nil, s.ID)); !taken {
			break
		}
		s.ID++
	}
	_, _, err = tx.Insert(schema.StOutboundStream, s.Append(nil))
	return s, err
}
