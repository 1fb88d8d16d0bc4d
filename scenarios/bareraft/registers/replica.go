package registers

import (
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// Marks of the branches that only faults lead to.
//
//nolint:gochecknoglobals // marks register once
var (
	markRepeated = invariant.NewMark("registers: dropped a request that was seen before")
	markStale    = invariant.NewMark("registers: refused a request that was meant for an earlier process")
	markDeposed  = invariant.NewMark("registers: refused reads when the leader was deposed")
	markRestored = invariant.NewMark("registers: restored a snapshot from the leader")
)

// Replica is one process of a member.
type Replica struct {
	env  *env.Env
	cfg  Config
	id   uint64
	peer []env.Addr // by member number, from 1
	raw  *raft.RawNode
	log  *raft.MemoryStorage // the disk

	machine machine
	applied uint64 // the index up to which machine is
	cut     uint64 // the last index that the log does not hold any more
	term    uint64 // the current term
	lead    uint64 // the leader as far as it is known, 0 if it is not
	leading bool   // this member leads, as far as it knows

	// incarnation is the number of this process, not 0.
	incarnation uint64
	// seen holds the highest attempt of each session that has come here.
	seen map[uint64]uint64
	// proposals are the writes that this process has proposed in its current
	// term as leader, and who waits for the answer.
	proposals map[attemptID]env.Addr
	// reads wait in the order in which they came; their contexts ascend.
	reads       []waitingRead
	lastContext uint64

	onTick  func() // r.tick, made once
	scratch []byte // for encoding
}

// waitingRead is a read that waits for its confirmation, and then for the index
// with which it was confirmed to be applied.
type waitingRead struct {
	context uint64
	index   uint64 // 0: not confirmed
	query   Query
}

// Start begins a process of the member whose node e belongs to.
func Start(e *env.Env, log *raft.MemoryStorage, cfg Config) *Replica {
	if cfg.Read == nil {
		cfg.Read = (*Replica).Confirm
	}
	if cfg.Observer == nil {
		cfg.Observer = silent{}
	}
	r := &Replica{
		env: e, cfg: cfg, log: log,
		id:          uint64(slices.Index(cfg.Members, e.Name) + 1),
		peer:        make([]env.Addr, len(cfg.Members)+1),
		seen:        map[uint64]uint64{},
		proposals:   map[attemptID]env.Addr{},
		incarnation: e.Streams.Stream("incarnation").Uint64() | 1,
	}
	for i, name := range cfg.Members {
		addr, ok := e.Net.Resolve(name)
		invariant.Check(ok, "registers: no node is called %s", name)
		r.peer[i+1] = addr
	}
	r.recover()
	e.Net.Receive(r.receive)
	r.onTick = r.tick
	e.Sched.After(cfg.TickInterval, r.onTick)
	return r
}

// recover rebuilds what the process needs from the log. What was committed
// after the snapshot is applied again as raft hands it out.
func (r *Replica) recover() {
	hs, _, err := r.log.InitialState()
	must(err, "read the hard state")
	r.cfg.Observer.Started(r.id, hs, r.log)
	snapshot, err := r.log.Snapshot()
	must(err, "read the snapshot")
	r.machine = restore(snapshot.GetData())
	r.applied = snapshot.GetMetadata().GetIndex()
	r.term = hs.GetTerm()
	first, err := r.log.FirstIndex()
	must(err, "read the first index")
	r.cut = first - 1
	r.raw, err = raft.NewRawNode(&raft.Config{
		ID:            r.id,
		ElectionTick:  r.cfg.ElectionTick,
		HeartbeatTick: r.cfg.HeartbeatTick,
		Storage:       r.log,
		Applied:       r.applied,
		MaxSizePerMsg: r.cfg.MaxSizePerMsg, MaxInflightMsgs: r.cfg.MaxInflightMsgs,
		CheckQuorum: true, PreVote: true,
		DisableProposalForwarding: true,
		Logger:                    raftLogger{r.env.Log},
	})
	must(err, "start raft")
}

// tick advances raft's clock.
func (r *Replica) tick() {
	r.env.Sched.After(r.cfg.TickInterval, r.onTick)
	r.raw.Tick()
	r.advance()
}

// receive takes a datagram.
func (r *Replica) receive(from env.Addr, payload []byte) {
	invariant.Check(len(payload) > 0, "registers: an empty datagram")
	switch payload[0] {
	case datagramRaft:
		m, err := parseMessage(payload[1:])
		must(err, "decode a message of raft")
		// An error means that raft has dropped the message, as the network may.
		_ = r.raw.Step(m)
		r.advance()
	case datagramRequest:
		q, err := parseRequest(payload[1:])
		must(err, "decode a request")
		r.request(from, &q, payload[1:])
	default:
		invariant.Fail("registers: a replica got a datagram of kind %d", payload[0])
	}
}

// request begins to execute an attempt, unless it is not the time or the place.
func (r *Replica) request(from env.Addr, q *request, encoded []byte) {
	if q.incarnation != r.incarnation {
		markStale.Sometimes(q.incarnation != 0)
		r.refuse(from, q.id)
		return
	}
	if q.id.number <= r.seen[q.id.session] {
		markRepeated.Reached()
		return
	}
	r.seen[q.id.session] = q.id.number
	switch {
	case !r.leading:
		r.refuse(from, q.id)
	case q.op == opGet:
		r.cfg.Read(r, Query{from, *q})
	case r.raw.Propose(encoded) != nil: // it has dropped the proposal
		r.refuse(from, q.id)
	default:
		r.proposals[q.id] = from
		r.advance()
	}
}

// Confirm answers a read once a quorum has confirmed that this member leads,
// and everything that was committed when the read came is applied.
func (r *Replica) Confirm(q Query) {
	r.lastContext++
	r.reads = append(r.reads, waitingRead{context: r.lastContext, query: q})
	r.raw.ReadIndex(binary.BigEndian.AppendUint64(nil, r.lastContext))
	r.advance()
}

// Answer answers a read from the state machine as it is.
func (r *Replica) Answer(q Query) {
	result := r.machine.execute(&q.request)
	r.reply(q.from, q.request.id, result)
}

// refuse tells a client that its attempt is not executed.
func (r *Replica) refuse(to env.Addr, id attemptID) {
	r.reply(to, id, response{refused: true, leader: r.lead})
}

func (r *Replica) reply(to env.Addr, id attemptID, result response) {
	result.id, result.incarnation = id, r.incarnation
	r.scratch = append(r.scratch[:0], datagramResponse)
	r.scratch = result.appendTo(r.scratch)
	r.env.Net.Send(to, slices.Clone(r.scratch))
}

// sendRaft sends a message of raft.
func (r *Replica) sendRaft(m *raftpb.Message) {
	r.cfg.Observer.Sent(r.id, m)
	r.scratch = append(r.scratch[:0], datagramRaft)
	var err error
	r.scratch, err = appendMessage(r.scratch, m)
	must(err, "encode a message of raft")
	r.env.Net.Send(r.peer[m.GetTo()], slices.Clone(r.scratch))
	if m.GetType() == raftpb.MsgSnap {
		r.expectSnapshot(m.GetTo())
	}
}

// expectSnapshot makes raft send another snapshot to a follower that has not
// acknowledged this one after some time: raft would wait for ever, because it
// believes in a transport that knows what became of a snapshot.
func (r *Replica) expectSnapshot(to uint64) {
	wait := time.Duration(r.cfg.ElectionTick) * r.cfg.TickInterval
	r.env.Sched.After(wait, func() {
		r.raw.ReportSnapshot(to, raft.SnapshotFailure)
		r.advance()
	})
}

// TransferLeader asks the leader to make another member lead.
func (r *Replica) TransferLeader(to uint64) {
	r.raw.TransferLeader(to)
	r.advance()
}

// Status is the state of a member as its process sees it.
type Status struct {
	Term, Applied, Last uint64
	Leading             bool
}

// Status returns the member's state.
func (r *Replica) Status() Status {
	last, err := r.log.LastIndex()
	must(err, "read the last index")
	return Status{Term: r.term, Applied: r.applied, Last: last, Leading: r.leading}
}

// State returns the state machine, encoded: equal states are equal bytes.
func (r *Replica) State() []byte { return r.machine.snapshot() }
