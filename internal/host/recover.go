package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/stdbgo/spacetime/internal/commitlog"
	"github.com/stdbgo/spacetime/internal/store"
)

// A recovery is a store that was read back from disk.
type recovery struct {
	store *store.Store
	from  commitlog.Offset // of the checkpoint it began with; 0: none
	size  uint64           // of that file

	// Of the log behind it.
	tx, bytes uint64

	took Replay
}

// replay builds the store from the newest good checkpoint and the log behind it.
func (h *Host) replay(info DatabaseInfo, journal *commitlog.Log, ckpts *commitlog.Checkpoints) (*recovery, error) {
	var seed [8]byte
	if _, err := io.ReadFull(h.opts.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("host: randomness for hash tables: %w", err)
	}
	r := &recovery{}
	start := h.opts.Clock.Now()
	begin := func() {
		r.store = store.New(store.Options{DatabaseID: info.Identity, HashSeed: binary.LittleEndian.Uint64(seed[:]), Together: together})
	}
	begin()
	off, ok, failures, err := ckpts.Restore(journal.Next(), func(off commitlog.Offset, in io.Reader) error {
		begin() // what a failed attempt left is of no use
		return loadSnapshot(r.store, off, in)
	})
	switch {
	case err != nil:
		return nil, err
	case ok:
		size, err := ckpts.Size(off)
		if err != nil {
			return nil, err
		}
		r.from, r.size = off, uint64(size)
	default:
		begin()
	}
	if first := journal.First(); first > r.from {
		return nil, errors.Join(fmt.Errorf("host: replica %d: no checkpoint leads to transaction %d, where the log begins", info.Replica, first), failures)
	}
	behind := h.opts.Clock.Now()
	if err := r.replayLog(journal); err != nil {
		return nil, fmt.Errorf("host: replica %d: %w", info.Replica, err)
	}
	end := h.opts.Clock.Now()
	r.took = Replay{Total: end.Sub(start), Log: end.Sub(behind), Transactions: r.tx}
	return r, nil
}

func (r *recovery) replayLog(journal *commitlog.Log) error {
	err := journal.Replay(r.from, func(off commitlog.Offset, data []byte) (int, error) {
		n, err := r.store.ReplayRecord(uint64(off), data)
		r.tx++
		r.bytes += uint64(n)
		return n, err
	})
	if err != nil {
		return err
	}
	if err := r.store.FinishReplay(); err != nil {
		return err
	}
	if got, want := r.store.NextOffset(), uint64(journal.Next()); got != want {
		return fmt.Errorf("replay ended at transaction %d, the log at %d", got, want)
	}
	return nil
}

// together runs functions on all processors and returns when they have ended.
func together(jobs []func()) {
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for _, job := range jobs {
		free <- struct{}{}
		wg.Go(func() {
			job()
			<-free
		})
	}
	wg.Wait()
}

// loadSnapshot fills a new store with the checkpoint at an offset.
func loadSnapshot(s *store.Store, off commitlog.Offset, in io.Reader) error {
	err := s.LoadSnapshot(in)
	if err == nil && s.NextOffset() != uint64(off) {
		err = fmt.Errorf("it holds the transactions before %d", s.NextOffset())
	}
	if err != nil {
		return fmt.Errorf("host: checkpoint %d: %w", off, err)
	}
	return nil
}
