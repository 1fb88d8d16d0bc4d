package faults

import (
	"fmt"
	"math"
	"strconv"
)

// Seed is a seed in plans: an integer where TOML has one, and a string above.
type Seed uint64

// MarshalTOML implements go-toml's unstable.Marshaler.
func (s Seed) MarshalTOML() ([]byte, error) {
	digits := strconv.FormatUint(uint64(s), 10)
	if s > math.MaxInt64 {
		digits = "'" + digits + "'"
	}
	return []byte(digits), nil
}

// UnmarshalText reads the string form.
func (s *Seed) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("%q is no seed: write a number from 0 to %d", text, uint64(math.MaxUint64))
	}
	*s = Seed(n)
	return nil
}
