package client

import (
	"time"

	"simrun/nodes/rpc"
)

// Stats counts what a client did.
type Stats struct {
	Calls        [256]uint64                 // attempts to stores, by rpc.Method
	RegionErrors [numRegionErrorKinds]uint64 // see EachRegionError
	Lost         uint64                      // attempts of unknown outcome
	Refused      uint64                      // attempts without a connection
	Retries      uint64                      // repetitions, of whatever
	BackoffTime  time.Duration               // time spent waiting before them
	Exhausted    uint64                      // operations that ran out of time
	RegionLoads  uint64                      // regions asked of placement
	StoreLoads   uint64                      // store addresses asked of placement
	Timestamps   uint64                      // timestamps asked of placement

	LocksMet      uint64 // locks that were in the way
	LocksResolved uint64 // of them, removed because their transaction had ended
	LocksBypassed uint64 // of them, read past

	Committed    uint64 // transactions that wrote, by outcome
	Failed       uint64
	Undetermined uint64
}

// Requests returns the number of attempts of all methods.
func (s *Stats) Requests() uint64 {
	var n uint64
	for _, calls := range s.Calls {
		n += calls
	}
	return n
}

// EachCall calls fn for every method that was called, in a fixed order.
func (s *Stats) EachCall(fn func(m rpc.Method, n uint64)) {
	for m, n := range s.Calls {
		if n > 0 {
			fn(rpc.Method(m), n)
		}
	}
}

// EachRegionError calls fn for every kind of region error that was met, in a
// fixed order.
func (s *Stats) EachRegionError(fn func(kind string, n uint64)) {
	for k, n := range s.RegionErrors {
		if n > 0 {
			fn(regionErrorKind(k).String(), n)
		}
	}
}
