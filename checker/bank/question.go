package bank

import "simrun/sim/history"

// view is what a transaction read at one instant: under read committed, and for update, it may
// read at several.
type view struct {
	ts    uint64 // as history.TxnOp.TS
	asked question
	got   map[string]string
}

// add adds a read or a scan.
func (v *view) add(o *history.TxnOp) {
	if v.got == nil {
		v.ts, v.got = o.TS, map[string]string{}
	}
	if o.Kind == history.TxnScan {
		for _, p := range o.Pairs {
			v.got[p.Key] = p.Value
		}
		v.asked.scan(o)
		return
	}
	if o.Value != nil {
		v.got[o.Key] = *o.Value
	}
	v.asked.ranges = append(v.asked.ranges, keyRange{start: o.Key, end: o.Key + "\x00"})
}

// question is what a transaction asked for, whatever it was answered.
type question struct {
	ranges []keyRange
	// whole is set by a scan without a limit. Where the accounts are not known
	// it is taken to ask for all of them.
	whole bool
}

// keyRange is the keys from start to end, end excluded; an empty end is no bound.
type keyRange struct{ start, end string }

// scan adds what a scan asked for. One that reached its limit has asked for
// nothing beyond the last pair.
func (q *question) scan(o *history.TxnOp) {
	r := keyRange{o.Key, o.EndKey}
	if o.Limit > 0 && len(o.Pairs) >= o.Limit {
		if last := o.Pairs[len(o.Pairs)-1].Key; o.Reverse {
			r.start = last
		} else {
			r.end = last + "\x00"
		}
	}
	q.whole = q.whole || o.Limit == 0
	q.ranges = append(q.ranges, r)
}

// coversAll says whether each of the accounts was asked for.
func (q *question) coversAll(accounts map[string]struct{}) bool {
	for a := range accounts {
		if !q.covers(a) {
			return false
		}
	}
	return true
}

func (q *question) covers(key string) bool {
	for _, r := range q.ranges {
		if key >= r.start && (r.end == "" || key < r.end) {
			return true
		}
	}
	return false
}
