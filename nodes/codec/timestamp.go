package codec

import (
	"fmt"
	"math"
)

// TSLen is the length of an encoded version.
const TSLen = 8

// LogicalBits is the width of the counter in the low bits of a timestamp; the
// rest is milliseconds since the Unix epoch.
const LogicalBits = 18

// MaxTS is greater than every timestamp that is handed out. A read at MaxTS
// asks for the newest committed version.
const MaxTS uint64 = math.MaxUint64

// ComposeTS makes a timestamp of physical milliseconds and a logical counter.
func ComposeTS(physical, logical uint64) uint64 { return physical<<LogicalBits + logical }

// PhysicalTS returns the milliseconds of ts.
func PhysicalTS(ts uint64) uint64 { return ts >> LogicalBits }

// LogicalTS returns the counter of ts.
func LogicalTS(ts uint64) uint64 { return ts & (1<<LogicalBits - 1) }

// AppendTS appends a version to an encoded key. Newer versions sort first.
func AppendTS(dst []byte, ts uint64) []byte { return AppendUint64Desc(dst, ts) }

// SplitTS separates an encoded key from its version. The key shares the memory
// of b; it is not checked.
func SplitTS(b []byte) (key []byte, ts uint64, err error) {
	if len(b) < TSLen {
		return nil, 0, fmt.Errorf("versioned key: %d bytes cannot hold a version: %w", len(b), ErrMalformed)
	}
	n := len(b) - TSLen
	ts, _, err = DecodeUint64Desc(b[n:])
	return b[:n:n], ts, err
}

// AppendVersionsEnd appends the exclusive upper bound of all versions of an
// encoded key, which is also below every greater key: no encoded key is a
// prefix of another one.
func AppendVersionsEnd(dst, key []byte) []byte {
	return append(append(dst, key...), "\xff\xff\xff\xff\xff\xff\xff\xff\xff"...)
}
