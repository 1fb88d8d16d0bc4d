package txn

import (
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/mvcc"
)

// batch collects the modifications of one command, which are applied together
// or not at all.
type batch struct {
	reqs []*raft_cmdpb.Request
	// unlocked are the keys whose locks are removed: somebody may wait for them.
	unlocked [][]byte
	// published are the keys whose locks are in memory until the modifications are
	// applied.
	published [][]byte
}

func (b *batch) empty() bool { return len(b.reqs) == 0 }

// reset takes all modifications back. What was published stays so until the
// command ends.
func (b *batch) reset() { b.reqs, b.unlocked = nil, nil }

// size is about how much memory the modifications take.
func (b *batch) size() int {
	size := 0
	for _, req := range b.reqs {
		size += len(req.GetPut().GetKey()) + len(req.GetPut().GetValue()) + len(req.GetDelete().GetKey())
	}
	return size
}

func (b *batch) add(req *raft_cmdpb.Request) {
	if b.reqs == nil {
		b.reqs = make([]*raft_cmdpb.Request, 0, 4) // two keys, as most commands have
	}
	b.reqs = append(b.reqs, req)
}

func (b *batch) put(cf engine.CF, key, value []byte) {
	// One allocation for both messages.
	m := &struct {
		req raft_cmdpb.Request
		put raft_cmdpb.PutRequest
	}{}
	m.put.Cf, m.put.Key, m.put.Value = cf.String(), key, value
	m.req.CmdType, m.req.Put = raft_cmdpb.CmdType_Put, &m.put
	b.add(&m.req)
}

func (b *batch) delete(cf engine.CF, key []byte) {
	m := &struct {
		req raft_cmdpb.Request
		del raft_cmdpb.DeleteRequest
	}{}
	m.del.Cf, m.del.Key = cf.String(), key
	m.req.CmdType, m.req.Delete = raft_cmdpb.CmdType_Delete, &m.del
	b.add(&m.req)
}

// The records of transactions. Keys are encoded user keys.

func (b *batch) putLock(key []byte, lock *mvcc.Lock) { b.put(engine.Lock, key, lock.Marshal()) }

func (b *batch) deleteLock(key []byte) {
	b.delete(engine.Lock, key)
	b.unlocked = append(b.unlocked, key)
}

func (b *batch) putWrite(key []byte, commitTS uint64, w *mvcc.Write) {
	b.put(engine.Write, versionKey(key, commitTS), w.Marshal())
}

func (b *batch) deleteWrite(key []byte, commitTS uint64) {
	b.delete(engine.Write, versionKey(key, commitTS))
}

func (b *batch) putValue(key []byte, startTS uint64, value []byte) {
	b.put(engine.Default, versionKey(key, startTS), value)
}

func (b *batch) deleteValue(key []byte, startTS uint64) {
	b.delete(engine.Default, versionKey(key, startTS))
}

func versionKey(key []byte, ts uint64) []byte {
	return codec.AppendTS(append(make([]byte, 0, len(key)+codec.TSLen), key...), ts)
}
