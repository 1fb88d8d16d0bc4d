package chain

import (
	"encoding/json"
	"time"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
)

// Marks of the branches that only faults lead to.
//
//nolint:gochecknoglobals // marks register once
var (
	markRepeated  = invariant.NewMark("chain: the head saw a request again")
	markExpired   = invariant.NewMark("chain: the tail had no lease for a read")
	markTruncated = invariant.NewMark("chain: who joins has dropped entries that the chain does not have")
)

const forwardMax = 32 // entries a message

// entry is a write in the log, in the order of the head.
type entry struct {
	Request int      `json:"request"`
	Client  env.Addr `json:"client"`
	Key     string   `json:"key"`
	Value   string   `json:"value"`
}

// logRecord is what a replica has on its disk: an entry at an index, or that it has
// cut its log off there to join.
type logRecord struct {
	Index  int    `json:"index"`
	Entry  *entry `json:"entry,omitempty"`
	Joined uint64 `json:"joined,omitempty"`
	Stable int    `json:"stable,omitempty"` // what was known then
}

// replica is one process of a replica.
type replica struct {
	env    *env.Env
	omit   omissions
	disk   *records
	master env.Addr

	log      []entry     // entry i is log[i-1]
	requests map[int]int // where a request is in the log
	durable  int
	stable   int    // every full member of the chain has these
	joined   uint64 // the JoinEpoch for which the log was cut off last
	cuts     int    // of the log in this life

	chain  Chain
	synced bool // has what its predecessor had when it came to Epoch

	life  uint64
	beats []time.Duration // when each was sent
	until time.Duration   // end of the lease
}

func startReplica(e *env.Env, omit omissions) *replica {
	r := &replica{env: e, omit: omit, requests: map[int]int{}, life: e.Streams.Stream("life").Uint64()}
	r.master, _ = e.Net.Resolve(masterName)
	var err error
	if r.disk, err = openRecords(e, omit, r.replay); err != nil {
		e.Exit("the log: " + err.Error())
		return r
	}
	e.Net.Receive(func(from env.Addr, b []byte) { r.receive(from, parse(b)) })
	// What was found is durable once the directory is.
	e.Disk.Barrier(func() {
		r.durable = len(r.log)
		e.Sched.Go("beat", r.beat)
	})
	return r
}

func (r *replica) replay(b []byte) {
	var rec logRecord
	invariant.Check(json.Unmarshal(b, &rec) == nil, "chain: a log holds %q", b)
	if rec.Entry != nil {
		r.cut(rec.Index - 1)
		r.push(*rec.Entry)
	} else {
		r.cut(rec.Index)
		r.joined = rec.Joined
	}
	r.stable = max(r.stable, rec.Stable)
}

func (r *replica) cut(n int) {
	invariant.Check(n <= len(r.log), "chain: the log of %s is cut to %d entries and has %d", r.env.Name, n, len(r.log))
	for _, e := range r.log[n:] {
		delete(r.requests, e.Request)
	}
	r.log = r.log[:n:n]
}

func (r *replica) push(e entry) {
	r.log = append(r.log, e)
	r.requests[e.Request] = len(r.log)
}

// now is the clock of leases.
func (r *replica) now() time.Duration {
	if r.omit.clock {
		return time.Duration(r.env.Clock.Wall().UnixNano())
	}
	return r.env.Clock.Monotonic()
}

func (r *replica) beat(t env.Task) {
	for {
		r.beats = append(r.beats, r.now())
		r.send(r.master, message{Kind: heartbeat, Life: r.life, Beat: len(r.beats), Synced: r.synced})
		r.tell()
		t.Sleep(beatEvery)
	}
}

func (r *replica) send(to env.Addr, m message) {
	m.Epoch = r.chain.Epoch
	r.env.Net.Send(to, m.bytes())
}

// next returns the neighbour in the chain, +1 the successor, 0 if there is none.
func (r *replica) next(by int) env.Addr {
	i := r.chain.place(r.env.Self)
	if i < 0 || i+by < 0 || i+by >= len(r.chain.Members) {
		return 0
	}
	return r.chain.Members[i+by]
}

func (r *replica) member() bool { return r.chain.place(r.env.Self) >= 0 }
func (r *replica) head() bool   { return r.member() && r.next(-1) == 0 }
func (r *replica) tail() bool   { return r.member() && r.next(1) == 0 }

// ready says that it is a member and, if it joins, that its log was cut for that.
func (r *replica) ready() bool {
	return r.member() && (r.chain.Joining != r.env.Self || r.joined >= r.chain.JoinEpoch)
}

func (r *replica) receive(from env.Addr, m *message) {
	switch {
	case m.Kind == config && m.Life == r.life:
		r.configure(m)
	case m.Kind == write && r.head() && r.ready():
		r.write(from, m)
	case m.Kind == read && r.tail() && r.synced:
		r.read(from, m)
	case m.Epoch != r.chain.Epoch || !r.ready():
	case m.Kind == forward && from == r.next(-1):
		r.take(m)
	case m.Kind == have && from == r.next(1):
		r.had(from, m)
	}
}

// configure takes the chain and the lease that the master gives.
func (r *replica) configure(m *message) {
	if m.Chain.Epoch < r.chain.Epoch {
		return
	}
	if m.Chain.place(r.env.Self) >= 0 {
		r.until = max(r.until, r.beats[m.Beat-1]+lease)
	}
	if m.Chain.Epoch == r.chain.Epoch {
		return
	}
	r.chain, r.synced = *m.Chain, false
	if r.chain.Joining == r.env.Self && r.joined < r.chain.JoinEpoch {
		r.join()
		return
	}
	r.synced = r.head()
	r.settle()
	r.tell()
}

// join drops what the chain may not have.
func (r *replica) join() {
	if len(r.log) > r.stable {
		markTruncated.Reached()
	}
	if !r.omit.cut {
		r.cut(r.stable)
	}
	r.durable = len(r.log)
	r.cuts++
	epoch := r.chain.JoinEpoch
	r.disk.append(func() { r.joined = epoch }, logRecord{Index: len(r.log), Joined: epoch, Stable: r.stable})
}

func (r *replica) write(from env.Addr, m *message) {
	if at, again := r.requests[m.Request]; again {
		markRepeated.Reached()
		if at <= r.stable {
			r.send(from, message{Kind: reply, Request: m.Request, By: r.env.Name})
		}
		return
	}
	r.store(entry{Request: m.Request, Client: from, Key: m.Key, Value: m.Value})
}

// store puts entries at the end of the log, and goes on when they are durable.
func (r *replica) store(entries ...entry) {
	var recs []any
	for _, e := range entries {
		r.push(e)
		recs = append(recs, logRecord{Index: len(r.log), Entry: &e, Stable: r.stable})
	}
	last, cuts := len(r.log), r.cuts
	r.disk.append(func() {
		if cuts != r.cuts || last <= r.durable {
			return
		}
		from := r.durable
		r.durable = last
		if next := r.next(1); next != 0 && r.ready() {
			r.forward(next, from)
		}
		r.settle()
	}, recs...)
}

// forward sends the entries behind an index.
func (r *replica) forward(to env.Addr, from int) {
	m := message{Kind: forward, Prev: from, Total: r.durable}
	m.PrevReq = r.at(from)
	m.Entries = r.log[from:min(r.durable, from+forwardMax)]
	r.send(to, m)
}

// take stores what the predecessor has sent.
func (r *replica) take(m *message) {
	if m.Prev > len(r.log) {
		return // had asks for what is between
	}
	r.same(m.Prev, m.PrevReq, "predecessor")
	entries := m.Entries
	for at := m.Prev; len(entries) > 0 && at < len(r.log); at++ {
		r.same(at+1, entries[0].Request, "predecessor")
		entries = entries[1:]
	}
	if len(entries) > 0 {
		r.store(entries...)
	}
	if r.durable >= m.Total && !r.synced {
		r.synced = true
		r.settle()
	}
}

// tell tells the predecessor what is here.
func (r *replica) tell() {
	if to := r.next(-1); to != 0 && r.ready() {
		r.send(to, message{Kind: have, Have: r.durable, HaveLast: r.at(r.durable), Stable: r.stable, Synced: r.synced})
	}
}

// at is the request at an index, 0 before the first one.
func (r *replica) at(index int) int {
	if index == 0 {
		return 0
	}
	return r.log[index-1].Request
}

func (r *replica) same(index, request int, neighbour string) {
	invariant.Check(r.at(index) == request, "chain: at index %d %s has request %d and its %s %d",
		index, r.env.Name, r.at(index), neighbour, request)
}

// had hears what the successor has.
func (r *replica) had(from env.Addr, m *message) {
	invariant.Check(m.Have <= r.durable, "chain: %s has %d entries and its successor %d", r.env.Name, r.durable, m.Have)
	r.same(m.Have, m.HaveLast, "successor")
	if m.Have < r.durable || !m.Synced {
		r.forward(from, m.Have)
	}
	if m.Stable > r.stable {
		r.stable = m.Stable
		r.tell()
	}
}

// settle lets the tail answer what has arrived.
func (r *replica) settle() {
	if !r.tail() || !r.synced || !r.ready() || r.stable >= r.durable {
		return
	}
	for _, e := range r.log[r.stable:r.durable] {
		r.send(e.Client, message{Kind: reply, Request: e.Request, By: r.env.Name})
	}
	r.stable = r.durable
	r.tell()
}

func (r *replica) read(from env.Addr, m *message) {
	if r.now() >= r.until && !r.omit.lease {
		markExpired.Reached()
		return
	}
	out := message{Kind: reply, Request: m.Request, By: r.env.Name}
	for _, e := range r.log[:r.stable] {
		if e.Key == m.Key {
			out.Value = e.Value
		}
	}
	r.send(from, out)
}
