package linear

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"simrun/sim/history"
)

// family is the kind of object that a key is.
type family int

const (
	familyRegister family = iota // read, write, cas: states are interned values
	familyString                 // a register that is appended to: states are strings
	familyMutex                  // acquire, release
	familyMulti                  // transactions over several registers
)

// object is what is decided as a whole: one key, or all keys of transactions.
type object struct {
	key    string
	family family
	calls  []*call   // in the order of invocation
	last   int64     // the latest instant of the history
	values *interner // shared by all objects
	init   state     // of a register, a string or a mutex
	multi  *multi
	// strange is the kind of an operation on the key that nobody here knows: what it has
	// made of the key cannot be told. Empty: there is none.
	strange history.Kind
}

// call is one operation as the search sees it.
type call struct {
	op              *history.Op
	object          *object
	invoke          int64
	ret             int64 // the latest instant at which it can take effect
	unknown         bool  // its result is not known, and it may not have taken effect
	value, expected int32 // interned, for familyRegister
	txn             []access
}

// interner numbers values, so that states compare as numbers. 0 is the absent
// value.
type interner struct {
	ids  map[string]int32
	text []string
}

func newInterner() *interner { return &interner{ids: map[string]int32{}, text: []string{""}} }

func (in *interner) id(v *string) int32 {
	if v == nil {
		return absent
	}
	id, ok := in.ids[*v]
	if !ok {
		id = int32(len(in.text)) // a history has fewer than 2^31 values
		in.ids[*v] = id
		in.text = append(in.text, *v)
	}
	return id
}

// split makes an object of each key, in the order of keys.
func split(h *history.History) []*object {
	byKey := map[string]*object{}
	values := newInterner()
	strange := map[string]history.Kind{}
	var last int64
	for i := range h.Ops {
		op := &h.Ops[i]
		last = max(last, op.Return, op.Invoke)
		if !Applies(op.Kind) {
			if !known(op.Kind) && op.Outcome != history.Failed && strange[op.Key] == "" {
				strange[op.Key] = op.Kind
			}
			continue
		}
		name := op.Key
		if familyOf(op.Kind) == familyMutex {
			name = "mutex\x00" + name // a register may have the same key
		}
		o := byKey[name]
		if o == nil {
			o = &object{key: op.Key, family: familyOf(op.Kind), values: values}
			byKey[name] = o
		}
		o.family = max(o.family, familyOf(op.Kind))
		if c := newCall(op); c != nil {
			c.object = o
			o.calls = append(o.calls, c)
		}
	}
	objects := make([]*object, 0, len(byKey))
	for _, name := range slices.Sorted(maps.Keys(byKey)) {
		o := byKey[name]
		o.last = last
		// Without an answer there is nothing to explain. An operation without a key may be
		// one on any.
		if slices.ContainsFunc(o.calls, func(c *call) bool { return !c.unknown }) {
			o.strange = cmp.Or(strange[o.key], strange[""])
		}
		o.compile(h)
		objects = append(objects, o)
	}
	return objects
}

func familyOf(k history.Kind) family {
	switch k {
	case history.Append:
		return familyString
	case history.Acquire, history.Release:
		return familyMutex
	case history.Read, history.Write, history.CAS, history.Txn, history.Timestamp:
	}
	return familyRegister
}

// newCall returns nil for an operation that tells nothing: one that failed, and
// a read without an answer.
func newCall(op *history.Op) *call {
	switch op.Outcome {
	case history.Failed:
		return nil
	case history.Unknown:
		if op.Kind == history.Read {
			return nil
		}
		return &call{op: op, invoke: op.Invoke, unknown: true}
	case history.OK:
	}
	return &call{op: op, invoke: op.Invoke, ret: op.Return}
}

// compile interns values, bounds what is unknown and orders the calls.
func (o *object) compile(h *history.History) {
	for _, c := range o.calls {
		if c.unknown {
			c.ret = o.last + 1
		}
		if o.family == familyRegister {
			c.value, c.expected = o.values.id(c.op.Value), o.values.id(c.op.Expected)
		}
	}
	o.init = o.initial(h)
	o.narrow()
	o.sort()
}

func (o *object) sort() {
	slices.SortStableFunc(o.calls, func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.invoke, b.invoke), cmp.Compare(a.op.ID, b.op.ID))
	})
}

func (o *object) initial(h *history.History) state {
	v, known := h.Initial[o.key]
	switch o.family {
	case familyMutex:
		return state{}
	case familyString:
		if !known && h.InitialUnknown {
			return state{any: true}
		}
		return textState(v)
	case familyRegister, familyMulti:
	}
	switch {
	case known:
		return state{value: o.values.id(&v)}
	case h.InitialUnknown:
		return state{any: true}
	}
	return state{value: absent}
}

// narrow makes the search smaller without changing its answer. An unknown write
// whose value nobody else writes took effect before the first operation that
// saw the value returned; one whose value nobody saw need not have happened.
func (o *object) narrow() {
	if o.family != familyRegister {
		return
	}
	writers := map[int32]int{} // per value, how many calls write it
	if !o.init.any {
		writers[o.init.value]++
	}
	seen := map[int32]int64{} // per value, the first return of a call that saw it
	saw := func(value int32, at int64) {
		if first, ok := seen[value]; !ok || at < first {
			seen[value] = at
		}
	}
	mismatch := false // whether a cas failed: any state but one explains that
	for _, c := range o.calls {
		switch {
		case c.op.Kind == history.Read:
			saw(c.value, c.ret)
		case c.op.Kind == history.CAS && (c.unknown || c.op.Swapped):
			writers[c.value]++
			saw(c.expected, c.ret)
		case c.op.Kind == history.CAS:
			mismatch = true
		default:
			writers[c.value]++
		}
	}
	if o.init.any {
		return // every value may be the initial one
	}
	o.calls = slices.DeleteFunc(o.calls, func(c *call) bool {
		if !c.unknown || writers[c.value] > 1 {
			return false
		}
		first, ok := seen[c.value]
		if !ok {
			return c.op.Kind == history.Write && !mismatch
		}
		if first >= c.invoke {
			c.ret = min(c.ret, first)
		}
		return false
	})
}

// decide searches for a linearization of calls of this object.
func (o *object) decide(calls []*call, anyInit bool, limit time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(o.model(anyInit), o.operations(calls), limit)
}

// operations gives each call of unknown outcome a row of its own, because its
// client may go on while it is pending.
func (o *object) operations(calls []*call) []porcupine.Operation {
	row := clientRows(calls)
	rows := len(row)
	ops := make([]porcupine.Operation, len(calls))
	for i, c := range calls {
		n := row[c.op.Client]
		if c.unknown {
			n = rows
			rows++
		}
		ops[i] = porcupine.Operation{ClientId: n, Input: c, Call: c.invoke, Output: nil, Return: c.ret}
	}
	return ops
}

// clientRows numbers the clients of calls in their order. Their own numbers may
// be far apart, and a page has a row for each number up to the greatest.
func clientRows(calls []*call) map[int]int {
	var clients []int
	for _, c := range calls {
		clients = append(clients, c.op.Client)
	}
	slices.Sort(clients)
	rows := map[int]int{}
	for i, client := range slices.Compact(clients) {
		rows[client] = i
	}
	return rows
}

func quote(v *string) string {
	if v == nil {
		return "nothing"
	}
	return `"` + strings.ReplaceAll(*v, `"`, `\"`) + `"`
}
