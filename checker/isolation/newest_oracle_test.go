package isolation_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"simrun/checker/isolation"
	"simrun/checker/verdict"
	"simrun/sim/history"
)

// The oracle: a search for instants. Every transaction draws its start timestamp
// at an instant between invocation and return, and so does each of its statements, once
// it is invoked; then it reads, and if it is committed takes effect at a later instant.
// Effects come in the order of their commit timestamps, and after the draws of all lower
// timestamps. A read of what is newest sees the last effect, one of a snapshot the last
// effect up to its timestamp, and none such comes later. It is all about the key x.
type oracle struct {
	ops    []history.Op
	events []event
	stamps []uint64 // all that the history has, rising
	dead   map[searched]bool
}

// event is one of the instants of an operation. Those of an operation come in order.
type event struct {
	op      int
	kind    eventKind
	ts      uint64 // of a draw or a snapshot; of an effect, 0 if it is not known
	value   string // that was read, or written
	from    int64  // it is no earlier
	endless bool   // it may be after the return, or never
}

type eventKind uint8

const (
	draws eventKind = iota
	snapshots
	takesEffect
	reads
)

// searched is a state of the search: which events are left, by their bits, the effects so
// far, and the highest timestamp at which somebody has read.
type searched struct {
	left, read uint64
	effects    string
}

// effect is what a transaction did to the key.
type effect struct {
	commit uint64
	value  string
}

func (o *oracle) explains() bool {
	o.dead = map[searched]bool{}
	for i := range o.ops {
		o.collect(i)
	}
	slices.Sort(o.stamps)
	return o.search(1<<len(o.events)-1, 0, []effect{{}})
}

// collect collects the events of an operation.
func (o *oracle) collect(i int) {
	op := &o.ops[i]
	value := func(v *string) string {
		if v == nil {
			return ""
		}
		return *v
	}
	if op.Txn.Newest {
		o.events = append(o.events, event{op: i, kind: reads, value: value(op.Txn.Ops[0].Value), from: op.Invoke})
		return
	}
	o.stamps = append(o.stamps, op.Txn.StartTS, op.Txn.CommitTS)
	o.events = append(o.events, event{op: i, kind: draws, ts: op.Txn.StartTS, from: op.Invoke})
	at := op.Invoke
	for _, s := range op.Txn.Statements {
		o.stamps = append(o.stamps, s.TS)
		o.events = append(o.events, event{op: i, kind: draws, ts: s.TS, from: s.Invoke})
		at = s.Invoke
	}
	var written *event
	for _, x := range op.Txn.Ops {
		switch {
		case x.Key != "x":
		case x.Kind == history.TxnRead && written == nil:
			o.events = append(o.events, event{op: i, kind: snapshots, ts: max(x.TS, op.Txn.StartTS), value: value(x.Value), from: at})
		case x.Kind.Writes():
			written = &event{op: i, kind: takesEffect, ts: op.Txn.CommitTS, value: value(x.Value), from: at, endless: op.Outcome == history.Unknown}
		}
	}
	if written != nil && op.Outcome != history.Failed {
		o.events = append(o.events, *written)
	}
}

// search takes one of the events that are left as the next one.
func (o *oracle) search(left, read uint64, effects []effect) bool {
	if left == 0 {
		return true
	}
	state := searched{left, read, fmt.Sprint(effects)}
	if o.dead[state] {
		return false
	}
	last := effects[len(effects)-1]
	for i, e := range o.events {
		if left&(1<<i) == 0 {
			continue
		}
		rest := left &^ (1 << i)
		if e.endless && o.search(rest, read, effects) { // it has none
			return true
		}
		if !o.mayBeNext(i, rest) {
			continue
		}
		switch e.kind {
		case draws:
			if o.search(rest, read, effects) {
				return true
			}
		case reads:
			if e.value == last.value && o.search(rest, read, effects) {
				return true
			}
		case snapshots:
			seen := last
			for j := len(effects) - 1; seen.commit > e.ts; j-- {
				seen = effects[j]
			}
			if e.value == seen.value && o.search(rest, max(read, e.ts), effects) {
				return true
			}
		case takesEffect:
			for _, commit := range o.commits(&e, max(last.commit, read)) {
				if o.follows(commit, rest) && o.search(rest, read, append(slices.Clone(effects), effect{commit, e.value})) {
					return true
				}
			}
		}
	}
	o.dead[state] = true
	return false
}

// commits returns the commit timestamps above another one that an effect may have: of an
// unknown one it is enough to know behind which other it stands.
func (o *oracle) commits(e *event, above uint64) (list []uint64) {
	if e.ts != 0 {
		if e.ts > above {
			list = append(list, e.ts)
		}
		return list
	}
	above = max(above, o.ops[e.op].Txn.StartTS)
	list = append(list, above+1)
	for _, ts := range o.stamps {
		if ts > above && ts+1 > list[len(list)-1] {
			list = append(list, ts+1)
		}
	}
	return list
}

// follows says whether all lower timestamps were drawn.
func (o *oracle) follows(commit, rest uint64) bool {
	for i := range o.events {
		if other := &o.events[i]; rest&(1<<i) != 0 && other.kind == draws && other.ts < commit {
			return false
		}
	}
	return true
}

func (o *oracle) mayBeNext(at int, rest uint64) bool {
	e := &o.events[at]
	for i := range o.events {
		if rest&(1<<i) == 0 {
			continue
		}
		other := &o.events[i]
		switch {
		case !other.endless && o.ops[other.op].Return < e.from:
			return false
		case other.op == e.op && i < at:
			return false
		case e.kind == draws && other.kind == draws && other.ts < e.ts:
			return false
		}
	}
	return true
}

// newestDraw draws histories. It takes time for timestamps.
type newestDraw struct {
	*rapid.T
	vague   bool // values are written again, and commit timestamps of unknown outcomes may be missing
	ops     []history.Op
	effects []effectAt
	now     int64
	drawn   map[int64]bool // timestamps
}

// effectAt is an effect and when it takes place.
type effectAt struct {
	effect
	at int64
}

func (d *newestDraw) n(name string, limit int) int64 {
	return int64(rapid.IntRange(0, limit).Draw(d.T, name))
}

// newestHistory draws transactions that write one key one after the other, some
// that do nothing but draw timestamps or read, and reads of what is newest, of which about
// a half are what they should be. With snapshots, writers and others read too, and
// keys are deleted.
func newestHistory(t *rapid.T, vague, snapshots bool) *history.History {
	d := &newestDraw{T: t, vague: vague, now: 20, effects: []effectAt{{}}, drawn: map[int64]bool{}}
	for i := range rapid.IntRange(1, 5).Draw(t, "transactions") {
		d.writer(i, snapshots)
	}
	if snapshots {
		for i := range rapid.IntRange(0, 3).Draw(t, "readers") {
			d.reader(i)
		}
	}
	for range rapid.IntRange(1, 4).Draw(t, "reads") {
		at := d.n("instant", int(d.now)+20)
		d.ops = append(d.ops, history.Op{
			Kind: history.Txn, Outcome: history.OK, Invoke: max(0, at-d.n("before", 15)), Return: at + d.n("answer", 15),
			Txn: &history.TxnRecord{Newest: true, Ops: []history.TxnOp{d.answer(func(e effectAt) bool { return e.at <= at })}},
		})
	}
	for i := range d.ops {
		d.ops[i].ID, d.ops[i].Client = i, i
	}
	slices.SortStableFunc(d.ops, func(a, b history.Op) int { return int(a.Return - b.Return) })
	return &history.History{Ops: d.ops}
}

// answer draws a read of x: the last effect that it may see, or anything.
func (d *newestDraw) answer(sees func(e effectAt) bool) history.TxnOp {
	value := fmt.Sprint(d.n("value", 6))
	if value == "0" {
		value = ""
	}
	if d.n("right", 3) > 0 {
		for _, e := range d.effects {
			if sees(e) {
				value = e.value
			}
		}
	}
	return r("x", value)
}

// at returns the answer to a read at a timestamp.
func (d *newestDraw) at(ts int64) history.TxnOp {
	return d.answer(func(e effectAt) bool { return e.commit <= uint64(ts) }) // small
}

// writer draws a transaction that writes x after all others that did so.
func (d *newestDraw) writer(i int, snapshots bool) {
	start := d.now + 10*d.n("pause", 2)
	commit := start + 10 + 10*d.n("locks", 2)
	at := commit + 1 + d.n("late", 5)
	d.now = at + 10
	d.drawn[start], d.drawn[commit] = true, true
	now := effectAt{effect{uint64(commit), fmt.Sprint(i + 1)}, at} // small
	if d.vague {
		now.value = fmt.Sprint(1 + d.n("value", 2))
	}
	op := history.Op{
		Kind: history.Txn, Outcome: history.OK, Invoke: start - 1 - d.n("before", 18), Return: at + 1 + d.n("answer", 60),
		Txn: &history.TxnRecord{StartTS: uint64(start), CommitTS: uint64(commit)}, // small
	}
	if snapshots && d.n("reads first", 2) == 0 {
		op.Txn.Ops = append(op.Txn.Ops, d.at(start))
	}
	if snapshots && d.n("deletes", 2) == 0 {
		now.value = ""
		op.Txn.Ops = append(op.Txn.Ops, del("x"))
	} else {
		op.Txn.Ops = append(op.Txn.Ops, w("x", now.value))
	}
	switch rapid.IntRange(0, 6).Draw(d.T, "outcome") {
	case 0:
		op.Outcome, op.Txn.CommitTS = history.Failed, 0
	case 1, 2:
		op.Outcome = history.Unknown
		if d.vague && rapid.Bool().Draw(d.T, "no timestamp") {
			op.Txn.CommitTS = 0
		}
		if rapid.Bool().Draw(d.T, "happened") {
			d.effects = append(d.effects, now)
		}
	case 3:
		op.Txn.CommitTS, op.Txn.Ops = 0, nil
	default:
		d.effects = append(d.effects, now)
	}
	d.ops = append(d.ops, op)
}

// reader draws a transaction that reads x at its start or in statements of its own, and
// may write something else.
func (d *newestDraw) reader(i int) {
	start := d.stamp(0)
	if start == 0 {
		return
	}
	op := history.Op{
		Kind: history.Txn, Outcome: history.OK, Invoke: max(0, start-1-d.n("before", 18)), Return: start,
		Txn: &history.TxnRecord{StartTS: uint64(start)}, // small
	}
	if op.Txn.ReadCommitted = d.n("statements", 1) == 1; op.Txn.ReadCommitted {
		earliest := op.Invoke
		for range 1 + d.n("more", 1) {
			ts := d.stamp(op.Return)
			if ts == 0 {
				break
			}
			invoke := max(earliest, ts-d.n("before", 18))
			op.Txn.Statements = append(op.Txn.Statements, history.Statement{TS: uint64(ts), Invoke: invoke}) // small
			op.Txn.Ops = append(op.Txn.Ops, at(uint64(ts), d.at(ts)))                                        // small
			op.Return, earliest = ts, invoke
		}
	} else {
		op.Txn.Ops = append(op.Txn.Ops, d.at(start))
		if d.n("writes", 1) == 1 {
			commit := d.stamp(start)
			if commit != 0 {
				op.Txn.Ops = append(op.Txn.Ops, w(fmt.Sprint("y", i), "1"))
				op.Txn.CommitTS, op.Return = uint64(commit), commit // small
			}
		}
	}
	op.Return += d.n("answer", 40)
	d.ops = append(d.ops, op)
}

// stamp draws a timestamp above another one that nobody has; 0 if there is none.
func (d *newestDraw) stamp(above int64) int64 {
	ts := above + 10*d.n("stamp", 5)
	if above == 0 {
		ts = 10 * d.n("stamp", int(d.now)/10)
	}
	if ts = ts/10*10 + 5; ts <= above || d.drawn[ts] {
		return 0
	}
	d.drawn[ts] = true
	return ts
}

// TestNewestVague: where it is not certain which version was read, the rule accepts
// whatever there are instants for. There, deletions are of unknown outcome, and everybody
// reads.
func TestNewestVague(t *testing.T) {
	counts := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		h := newestHistory(t, true, rapid.Bool().Draw(t, "snapshots"))
		if err := history.Validate(h); err != nil {
			t.Fatal(err)
		}
		got := isolation.Check(h)
		o := oracle{ops: h.Ops}
		switch explained := o.explains(); {
		case explained && got.Verdict != verdict.OK:
			t.Fatalf("instants found, and yet %+v", got)
		case explained:
			counts["explained"]++
		case got.Verdict == verdict.OK:
			counts["accepted without instants"]++
		default:
			counts["refused"]++
		}
	})
	t.Log(counts)
	if counts["explained"] == 0 || counts["refused"] <= counts["accepted without instants"] {
		t.Errorf("%v: none was ever explained, or too many are accepted that nothing explains", counts)
	}
}

// TestNewestAgainstOracle: the rule accepts a history if and only if there are instants
// that explain it.
func TestNewestAgainstOracle(t *testing.T) {
	counts := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		h := newestHistory(t, false, rapid.Bool().Draw(t, "snapshots"))
		if err := history.Validate(h); err != nil {
			t.Fatal(err)
		}
		o := oracle{ops: h.Ops}
		want := o.explains()
		counts[want]++
		if got := isolation.Check(h); (got.Verdict == verdict.OK) != want {
			t.Fatalf("instants found: %v; the rule: %+v", want, got)
		}
	})
	if counts[true] == 0 || counts[false] == 0 {
		t.Errorf("%v: one side was never drawn", counts)
	}
}
