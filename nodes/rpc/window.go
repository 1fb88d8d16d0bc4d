package rpc

// windowSize is how far behind the highest request number a request may come
// and still be told from a duplicate.
const windowSize = 1024

// window remembers which request numbers of one sender were seen.
type window struct {
	seen [windowSize / 64]uint64 // bit n%windowSize, for the numbers in (high-windowSize, high)
	high uint64                  // all numbers seen are below
}

// admit reports whether number was not seen before, and notes it. A number that
// fell out of the window counts as seen: it is safer to lose a request than to
// execute it twice.
func (w *window) admit(number uint64) bool {
	if number+windowSize < w.high {
		return false
	}
	for ; w.high <= number; w.high++ {
		w.seen[w.high%windowSize/64] &^= 1 << (w.high % 64)
	}
	word, bit := &w.seen[number%windowSize/64], uint64(1)<<(number%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
