// Package stream holds the simulator's random numbers: streams that fork by
// name from one seed, and draws that are keyed instead of ordered.
//
// A stream is a function of its seed and its name alone. Taking an operation,
// a fault or a node away never shifts the draws of another stream; shrinking a
// plan depends on it. Where even the order of draws is not fixed, At draws by
// key and counter.
package stream

import (
	"encoding/binary"
	"math/bits"
)

// Stream is a xoshiro256++ generator (Blackman and Vigna, 2019).
type Stream struct{ s0, s1, s2, s3 uint64 }

// New returns the stream of that name and those ids under seed.
func New(seed uint64, name string, ids ...uint64) *Stream {
	h := Key(seed, name, ids...)
	return &Stream{splitmix(&h), splitmix(&h), splitmix(&h), splitmix(&h)}
}

// Key returns the key of a name and ids under seed, for At.
func Key(seed uint64, name string, ids ...uint64) uint64 {
	h := mix(seed, uint64(len(name)))
	for i := range len(name) {
		h = mix(h, uint64(name[i]))
	}
	for _, id := range ids {
		h = mix(h, id)
	}
	return h
}

// At is draw number n under key: a pure function, without state.
func At(key, n uint64) uint64 {
	x := key + (n+1)*0x9e3779b97f4a7c15
	return splitmix(&x)
}

// Uint64 returns the next 64 random bits.
func (r *Stream) Uint64() uint64 {
	result := bits.RotateLeft64(r.s0+r.s3, 23) + r.s0
	t := r.s1 << 17
	r.s2 ^= r.s0
	r.s3 ^= r.s1
	r.s1 ^= r.s2
	r.s0 ^= r.s3
	r.s2 ^= t
	r.s3 = bits.RotateLeft64(r.s3, 45)
	return result
}

// IntN returns a number in [0, n). It panics unless n > 0.
func (r *Stream) IntN(n int) int {
	if n <= 0 {
		panic("stream: IntN of a range that is empty")
	}
	return int(Scale(r.Uint64(), uint64(n)))
}

// Int64N returns a number in [0, n). It panics unless n > 0.
func (r *Stream) Int64N(n int64) int64 {
	if n <= 0 {
		panic("stream: Int64N of a range that is empty")
	}
	return int64(Scale(r.Uint64(), uint64(n)))
}

// Between returns a number in [lo, hi]. It panics if hi < lo.
func (r *Stream) Between(lo, hi int64) int64 { return lo + r.Int64N(hi-lo+1) }

// PerMille is true with a chance of n in 1,000.
func (r *Stream) PerMille(n int) bool { return r.IntN(1000) < n }

// Read fills p with random bytes; it never fails. It makes a Stream an
// io.Reader for libraries that take their randomness from one.
func (r *Stream) Read(p []byte) (int, error) {
	var word [8]byte
	for i := 0; i < len(p); i += len(word) {
		binary.LittleEndian.PutUint64(word[:], r.Uint64())
		copy(p[i:], word[:])
	}
	return len(p), nil
}

// Scale maps a draw to [0, n) by multiplication (Lemire 2019), without rejection:
// the bias is below n/2^64.
func Scale(x, n uint64) uint64 {
	hi, _ := bits.Mul64(x, n)
	return hi
}

func splitmix(x *uint64) uint64 {
	*x += 0x9e3779b97f4a7c15
	z := *x
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func mix(h, v uint64) uint64 {
	x := h ^ bits.RotateLeft64(v*0xe7037ed1a0b428db, 29)
	return splitmix(&x)
}
