// Package state judges what the replicas of a database hold at the end of a
// run: that replicas which applied the same log are equal, and that the records
// of transactions in the three column families do not contradict one another.
//
// It takes plain structs and raw rows, and has a decoder of its own for TiKV's
// record formats: a second implementation, so that an error in the first cannot
// hide itself. Nothing here imports the database.
//
//	state.Replicas(replicas)                       equality at equal applied index, rows in range
//	state.Divide(store, rows, replicas)            deals out a store's rows to its replicas
//	state.Members(replicas)                        who is alive is a member, and who is a member is alive
//	state.Regions(replicas, strays...)             the regions cover the key space once, and hold all that is stored
//	state.Placement(replicas, state.Wanted{...})   every region has its replicas, where they should be, evenly
//	state.Directory(listing, stores, replicas)     what the placement driver tells of them is so
//	state.Snapshots(nodes)                         nothing is left of snapshots
//	state.MVCC(rows, state.Options{...})           one consistent fate for each transaction; no garbage is left
//	state.Index(h, rows, state.SafePoints{...})    rows and index entries, one to one; what was dropped goes
//	state.Acknowledged(h, rows, safePoint)         what clients were told is what is stored
package state

import (
	"bytes"
	"fmt"
)

// Row is one record as it is stored, without the prefix of its column family.
type Row struct {
	Key, Value []byte
}

// Rows are the records of one key range, each family in the order of keys.
type Rows struct {
	Default, Lock, Write []Row
}

// Replica is one peer of a region at one moment.
type Replica struct {
	Store  string // the node's name
	Region uint64
	Peer   uint64
	Leader bool
	// Start and End bound the region, as its replica sees it; an empty End is
	// no bound. Keys are as they are stored.
	Start, End       []byte
	ConfVer, Version uint64 // epoch
	// Members are the peers of the region, as its replica sees it, in its order.
	Members []Member
	// Merging: it is to go into a neighbour, and serves nobody meanwhile.
	Merging      bool
	AppliedIndex uint64
	AppliedTerm  uint64
	Rows
	// Hash, if not zero, stands for rows that were not dumped.
	Hash uint64
}

// Member is a peer of a region as its replicas know it.
type Member struct {
	Peer  uint64
	Store string // the node's name, or what stands for a store that is lost
	Role  string // such as Voter or Learner
}

func (r *Replica) name() string {
	return fmt.Sprintf("region %d on %s (peer %d, applied %d)", r.Region, r.Store, r.Peer, r.AppliedIndex)
}

// holds says whether a stored key lies in the region.
func (r *Replica) holds(key []byte) bool {
	return bytes.Compare(key, r.Start) >= 0 && (len(r.End) == 0 || bytes.Compare(key, r.End) < 0)
}

// families names the rows of a replica in a fixed order.
func (r *Rows) families() [3]family {
	return [3]family{{"default", r.Default}, {"lock", r.Lock}, {"write", r.Write}}
}

type family struct {
	name string
	rows []Row
}
