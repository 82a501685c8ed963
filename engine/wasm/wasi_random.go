package wasm

import (
	"encoding/binary"

	"golang.org/x/crypto/chacha20"

	"github.com/stdbgo/spacetime/internal/abi"
)

// random is the stream of random bytes of one instance: ChaCha20 under a key that the database derives from what is being
// done (spec 03 §17.5). Each call starts a new stream, so that its random numbers can be reproduced.
type random struct {
	in     *instance
	cipher *chacha20.Cipher // nil until the call draws its first bytes
}

// seed is what the key of a call is derived from; during initialisation that of the instance.
func (r *random) seed() []byte {
	call, hash := r.in.host.Call(), r.in.p.hash
	if call.Kind == abi.KindInit {
		seed := append([]byte("init"), hash[:]...)
		seed = binary.LittleEndian.AppendUint64(seed, uint64(r.in.fuel.services.Now()))
		return binary.LittleEndian.AppendUint64(seed, instances.Add(1))
	}
	seed := append([]byte("call"), hash[:]...)
	seed = append(seed, byte(call.Kind-abi.KindReducer)) // reducers are 0, views 1, procedures 2, handlers 3
	seed = binary.LittleEndian.AppendUint32(seed, call.ID)
	seed = binary.LittleEndian.AppendUint64(seed, uint64(call.Time))
	seed = append(seed, call.Sender[:]...)
	return append(seed, call.Conn[:]...)
}

// read fills b. The key is derived on first use: most calls need none.
func (r *random) read(b []byte) {
	if r.cipher == nil {
		key := r.in.fuel.services.Seed(r.seed())
		var nonce [chacha20.NonceSize]byte
		cipher, err := chacha20.NewUnauthenticatedCipher(key[:], nonce[:])
		if err != nil {
			panic(err) // key and nonce have the right sizes
		}
		r.cipher = cipher
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
