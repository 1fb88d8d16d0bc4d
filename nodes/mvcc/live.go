package mvcc

import (
	"bytes"
	"fmt"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
)

// FirstLive returns the first encoded key from lower (included) to upper (excluded;
// nil is no bound) that is locked, or else the first that has a write record at ts or
// above; nil if there is none of either.
func FirstLive(snapshot engine.Reader, lower, upper []byte, ts uint64) ([]byte, error) {
	var live []byte
	err := ScanLocks(snapshot, lower, upper, func(key []byte, _ *Lock) bool {
		live = key
		return false
	})
	if err != nil || live != nil {
		return live, err
	}
	it, err := snapshot.NewIter(engine.Write, engine.IterOptions{Lower: lower, Upper: upper})
	if err != nil {
		return nil, fmt.Errorf("look for records: %w", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		key, commitTS, err := codec.SplitTS(it.Key())
		if err != nil {
			return nil, err
		}
		if commitTS >= ts {
			return bytes.Clone(key), nil
		}
	}
	return nil, it.Error()
}
