package wasm

import (
	"encoding/binary"

	"golang.org/x/crypto/chacha20"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// random is the stream of random bytes of one instance: ChaCha20 under a key that the database derives from what is being
// done (spec 03 §17.5). Each call starts a new stream, so that its random numbers can be reproduced.
type random struct {
	services abi.Services
	hash     sats.Hash
	seed     []byte // what the next key is derived from; empty if cipher is in use
	cipher   *chacha20.Cipher
}

func (r *random) seedInstance(in *instance) {
	s := in.fuel.services
	r.services, r.hash = s, in.p.hash
	r.seed = append(r.seed[:0], "init"...)
	r.seed = append(r.seed, r.hash[:]...)
	r.seed = binary.LittleEndian.AppendUint64(r.seed, uint64(s.Now()))
	r.seed = binary.LittleEndian.AppendUint64(r.seed, instances.Add(1))
}

func (r *random) seedCall(call abi.Call) {
	const callKindReducer = 0 // views and procedures get numbers of their own with their kinds
	r.seed = append(r.seed[:0], "call"...)
	r.seed = append(r.seed, r.hash[:]...)
	r.seed = append(r.seed, callKindReducer+byte(call.Kind-abi.KindReducer))
	r.seed = binary.LittleEndian.AppendUint32(r.seed, call.ID)
	r.seed = binary.LittleEndian.AppendUint64(r.seed, uint64(call.Time))
	r.seed = append(r.seed, call.Sender[:]...)
	r.seed = append(r.seed, call.Conn[:]...)
}

// read fills b. The key is derived on first use: most calls need none.
func (r *random) read(b []byte) {
	if len(r.seed) > 0 {
		key := r.services.Seed(r.seed)
		var nonce [chacha20.NonceSize]byte
		cipher, err := chacha20.NewUnauthenticatedCipher(key[:], nonce[:])
		if err != nil {
			panic(err) // key and nonce have the right sizes
		}
		r.cipher, r.seed = cipher, r.seed[:0]
	}
	clear(b)
	r.cipher.XORKeyStream(b, b)
}

func randomGet(in *instance, s []uint64) uint32 {
	b, ok := in.mem.Read(uint32(s[0]), uint32(s[1]))
	if !ok {
		return wasiFault
	}
	in.fuel.Spend(uint64(len(b)))
	in.wasi.random.read(b)
	return wasiOK
}
