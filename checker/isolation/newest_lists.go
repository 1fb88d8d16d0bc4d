package isolation

import (
	"slices"
	"strings"

	"simrun/sim/history"
)

// floatable are the elements of a list that belong to transactions whose commit
// timestamps are not known.
type floatable struct {
	elements map[string]*float
	shown    []string // those that a read showed, in order
}

// float is one of them.
type float struct {
	txn    int32
	invoke int64       // when its transaction was invoked
	shown  *history.Op // of the reads that showed it, the one that returned first
}

// floatable returns those of a key, nil if there are none.
func (ix *index) floatable(k *key) *floatable {
	if !k.lists || len(k.floating) == 0 {
		return nil
	}
	f := &floatable{elements: map[string]*float{}}
	for i := range k.floating {
		t := k.floating[i].txn
		for e := range strings.FieldsSeq(k.floating[i].value) {
			f.elements[e] = &float{txn: t, invoke: ix.txns[t].op.Invoke}
		}
	}
	return f
}

// show notes what an answer shows of them.
func (f *floatable) show(list string, op *history.Op) {
	if f == nil {
		return
	}
	for e := range strings.FieldsSeq(list) {
		switch x := f.elements[e]; {
		case x == nil:
		case x.shown == nil:
			i, _ := slices.BinarySearch(f.shown, e)
			f.shown = slices.Insert(f.shown, i, e)
			x.shown = op
		case op.Return < x.shown.Return:
			x.shown = op
		}
	}
}

// lost returns one that an answer lacks although somebody had been shown it before the
// answer was asked for; nil if there is none.
func (f *floatable) lost(list string, invoke int64) *float {
	if f == nil {
		return nil
	}
	var present map[string]struct{}
	for _, e := range f.shown {
		x := f.elements[e]
		if x.shown.Return >= invoke {
			continue
		}
		if present == nil {
			present = map[string]struct{}{}
			for p := range strings.FieldsSeq(list) {
				present[p] = struct{}{}
			}
		}
		if _, ok := present[e]; !ok {
			return x
		}
	}
	return nil
}

// strip takes out of a list what may stand anywhere, and says whether some of that
// is of a transaction that was invoked after the list was returned.
func (f *floatable) strip(list string, ret int64) (rest string, early bool) {
	if f == nil {
		return list, false
	}
	for e := range strings.FieldsSeq(list) {
		if x := f.elements[e]; x != nil {
			early = early || x.invoke > ret
		} else {
			rest = join(rest, e)
		}
	}
	return rest, early
}
