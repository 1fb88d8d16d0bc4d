package txn

import "simrun/nodes/codec"

// raiseMaxTS notes that this store has answered, or is about to answer, a read
// at ts. A transaction whose commit timestamp this store itself chooses must
// commit above all of them, or that read would not be repeatable. A read at
// codec.MaxTS asks for the newest version and promises nothing.
func (s *Scheduler) raiseMaxTS(ts uint64) {
	if ts != codec.MaxTS && ts > s.maxTS {
		s.maxTS = ts
	}
}

// MaxTS returns the greatest timestamp at which this process has read.
func (s *Scheduler) MaxTS() uint64 { return s.maxTS }
