package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/stdbgo/spacetime/internal/schema"
)

// A snapshot is:
//
//	"STDBGOSN" | version u8 | database identity 32 | next offset u64
//	tables, in id order: id u32, pages
//	0 u32
//
// and a page is: number of rows u32, number of bytes u32, rows (BSATN back to back).
// A page without rows ends its table. Integers are little endian. Rows of ephemeral
// and event tables are left out; system tables come first, and say what the rows of
// the others look like. Checksums are the business of the file's owner.
const (
	snapshotMagic   = "STDBGOSN"
	snapshotVersion = 1
	pageBytes       = 64 << 10
)

// WriteSnapshot writes all rows that a view sees. It may run beside the writer.
func (s *Store) WriteSnapshot(v *View, w io.Writer) error {
	b := bufio.NewWriterSize(w, pageBytes)
	head := append([]byte(snapshotMagic), snapshotVersion)
	head = append(head, s.opts.DatabaseID[:]...)
	b.Write(binary.LittleEndian.AppendUint64(head, v.next))
	p := pageWriter{w: b}
	for i, e := range v.cat.entries {
		if isEphemeral(e.def) || e.def.IsEvent {
			continue
		}
		p.number(uint32(e.def.ID))
		v.tables[i].each(func(_ rowPtr, row []byte) bool { return p.row(row) })
		p.endTable()
	}
	p.number(0)
	return b.Flush()
}

// A pageWriter collects rows. Errors stick in w and come out of its Flush.
type pageWriter struct {
	w    *bufio.Writer
	page []byte
	n    uint32
}

func (p *pageWriter) number(n uint32) bool {
	_, err := p.w.Write(binary.LittleEndian.AppendUint32(nil, n))
	return err == nil
}

func (p *pageWriter) row(row []byte) bool {
	ok := true
	if len(p.page)+len(row) > pageBytes && p.n > 0 {
		ok = p.flush()
	}
	p.page = append(p.page, row...)
	p.n++
	return ok
}

func (p *pageWriter) flush() bool {
	p.number(p.n)
	p.number(uint32(len(p.page)))
	_, err := p.w.Write(p.page)
	p.page, p.n = recycle(p.page), 0
	return err == nil
}

func (p *pageWriter) endTable() {
	if p.n > 0 {
		p.flush()
	}
	p.flush()
}

// LoadSnapshot fills a new store from a snapshot; ReplayRecord and FinishReplay
// follow. After an error the store is of no use.
func (s *Store) LoadSnapshot(r io.Reader) error {
	if s.replay != nil || s.next != 0 {
		return errors.New("store: a snapshot can only be loaded into a new store")
	}
	rec := s.startReplay()
	if err := rec.load(bufio.NewReaderSize(r, pageBytes)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		rec.failed = fmt.Errorf("store: snapshot: %w", err)
		return rec.failed
	}
	return nil
}

func (r *replay) load(in *bufio.Reader) error {
	var head [len(snapshotMagic) + 1 + 32 + 8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return err
	}
	if string(head[:len(snapshotMagic)]) != snapshotMagic {
		return errors.New("this is not a snapshot")
	}
	rest := head[len(snapshotMagic):]
	if rest[0] != snapshotVersion {
		return fmt.Errorf("version %d is unknown", rest[0])
	}
	if id := r.s.opts.DatabaseID; !id.IsZero() && !bytes.Equal(rest[1:33], id[:]) {
		return fmt.Errorf("it belongs to the database with identity bytes %x", rest[1:33])
	}
	r.s.next = binary.LittleEndian.Uint64(rest[33:])
	for {
		id, err := readNumber(in)
		if err != nil || id == 0 {
			return err
		}
		if err := r.loadTable(in, schema.TableID(id)); err != nil {
			return fmt.Errorf("table %d: %w", id, err)
		}
	}
}

func readNumber(in io.Reader) (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(in, b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func (r *replay) loadTable(in io.Reader, id schema.TableID) error {
	t := r.tables[id]
	if t == nil {
		return errors.New("it is not described")
	}
	var page bytes.Buffer
	for {
		n, err := readNumber(in)
		if err != nil {
			return err
		}
		size, err := readNumber(in)
		if err != nil {
			return err
		}
		page.Reset() // grows with what is there, not with what size claims
		if _, err := io.CopyN(&page, in, int64(size)); err != nil {
			return err
		}
		if n == 0 {
			if size != 0 {
				return errors.New("a page has bytes and no rows")
			}
			return nil
		}
		if err := r.loadPage(t, id, page.Bytes(), n); err != nil {
			return err
		}
	}
}

func (r *replay) loadPage(t *replayTable, id schema.TableID, page []byte, n uint32) error {
	for ; n > 0; n-- {
		l, err := t.rowLayout(id)
		if err != nil {
			return err
		}
		size, err := l.Validate(page)
		if err != nil {
			return err
		}
		if size == 0 && n > 1 {
			return fmt.Errorf("%d rows of no size", n)
		}
		if err := r.insert(t, id, page[:size]); err != nil {
			return err
		}
		page = page[size:]
	}
	if len(page) > 0 {
		return errors.New("a page has bytes behind its rows")
	}
	return nil
}
