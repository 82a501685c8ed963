package host

import (
	"context"
	"errors"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// Describe reads the definition that a program gives of itself, without a database.
// An error is about the program.
func Describe(ctx context.Context, engine abi.Engine, program []byte) (*schema.ModuleDef, error) {
	p, err := engine.Load(ctx, program, abi.LoadOptions{})
	if err != nil {
		return nil, err
	}
	inst, err := p.Instantiate(ctx, nowhere{})
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	def, err := describe(inst)
	if err := errors.Join(err, inst.Close(), p.Close()); err != nil {
		return nil, err
	}
	return def, nil
}

// nowhere is what an instance that belongs to no database finds around it.
type nowhere struct{}

func (nowhere) DatabaseIdentity() sats.Identity { return sats.Identity{} }
func (nowhere) Now() sats.Timestamp             { return timestamp(SystemClock{}) }
func (nowhere) Log(abi.LogRecord)               {}
func (nowhere) Seed([]byte) [32]byte            { return [32]byte{} }

func (nowhere) ScheduleImmediate(string, []byte) {
	abi.Fault("nothing can be scheduled while the module describes itself")
}

func (nowhere) JWT(*store.Tx, sats.ConnectionID) ([]byte, bool) { return nil, false }

func (nowhere) Env(*store.Tx, string, string) ([]byte, bool, bool) { return nil, false, false }
