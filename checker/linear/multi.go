package linear

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"simrun/checker/verdict"
	"simrun/sim/history"
)

// multi is a set of registers that transactions read and write as one object:
// linearizable means strictly serializable.
type multi struct {
	keys   *interner
	values *interner
	init   string // packed values
}

// access is one read or write of one register in a transaction.
type access struct {
	op         *history.TxnOp
	key, value int32
}

func (a access) String() string {
	if a.op.Kind == history.TxnRead {
		return fmt.Sprintf("%s = %s", a.op.Key, quote(a.op.Value))
	}
	return fmt.Sprintf("%s := %s", a.op.Key, quote(a.op.Value))
}

// anything is the packed value of a register of which nothing is known.
const anything = -1

// CheckTransactions decides whether transactions that read, write and delete
// keys are strictly serializable. It is a search over all keys at once: it fits
// short histories, and answers Unknown for ones with other operations.
func CheckTransactions(h *history.History, opts Options) verdict.Result {
	m := &multi{keys: newInterner(), values: newInterner()}
	o := &object{key: "transactions", family: familyMulti, multi: m}
	for i := range h.Ops {
		op := &h.Ops[i]
		o.last = max(o.last, op.Return)
		if op.Kind != history.Txn || op.Outcome == history.Failed {
			continue
		}
		c := &call{op: op, object: o, invoke: op.Invoke, ret: op.Return, unknown: op.Outcome == history.Unknown}
		if c.unknown && !op.Txn.Writes() {
			continue
		}
		if err := m.compile(c); err != nil {
			r := verdict.Result{Checker: Name}
			r.Undecided(err.Error())
			return r
		}
		o.calls = append(o.calls, c)
	}
	for _, c := range o.calls {
		if c.unknown {
			c.ret = o.last + 1
		}
	}
	o.sort()
	m.setInit(h)
	return proven(h, decideAll([]*object{o}, opts))
}

func (m *multi) compile(c *call) error {
	for i := range c.op.Txn.Ops {
		op := &c.op.Txn.Ops[i]
		switch op.Kind {
		case history.TxnRead, history.TxnWrite, history.TxnDelete:
		case history.TxnLock:
			continue
		case history.TxnAppend, history.TxnScan:
			return fmt.Errorf("operation %d has a %q, which the search over registers does not know", c.op.ID, op.Kind)
		}
		c.txn = append(c.txn, access{op: op, key: m.keys.id(&op.Key) - 1, value: m.values.id(op.Value)})
	}
	return nil
}

func (m *multi) setInit(h *history.History) {
	init := make([]int32, len(m.keys.text)-1)
	for i := range init {
		v, known := h.Initial[m.keys.text[i+1]]
		switch {
		case known:
			init[i] = m.values.id(&v)
		case h.InitialUnknown:
			init[i] = anything
		default:
			init[i] = absent
		}
	}
	m.init = pack(init)
}

func (m *multi) model(anyInit bool) porcupine.Model {
	init := m.init
	if anyInit {
		values := make([]int32, len(m.keys.text)-1)
		for i := range values {
			values[i] = anything
		}
		init = pack(values)
	}
	return porcupine.Model{
		Init: func() any { return init },
		Step: func(s, input, _ any) (bool, any) {
			next, ok := stepMulti(s.(string), input.(*call))
			return ok, next
		},
		DescribeOperation: func(input, _ any) string { return describe(input.(*call)) },
		DescribeState:     func(s any) string { return m.describe(s.(string)) },
	}
}

// stepMulti applies a transaction. The reads of one of unknown outcome are not
// trusted: it may have answered nothing.
func stepMulti(packed string, c *call) (string, bool) {
	values := unpack(packed)
	for _, a := range c.txn {
		if a.op.Kind != history.TxnRead {
			values[a.key] = a.value
			continue
		}
		if c.unknown {
			continue
		}
		if v := values[a.key]; v != anything && v != a.value {
			return packed, false
		}
		values[a.key] = a.value
	}
	return pack(values), true
}

func (m *multi) describe(packed string) string {
	var parts []string
	for i, v := range unpack(packed) {
		switch v {
		case anything:
			parts = append(parts, m.keys.text[i+1]+"=?")
		case absent:
		default:
			parts = append(parts, m.keys.text[i+1]+"="+m.values.text[v])
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// pack makes a comparable state of values.
func pack(values []int32) string {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v)) // taken apart again in unpack
	}
	return string(b)
}

func unpack(s string) []int32 {
	values := make([]int32, len(s)/4)
	for i := range values {
		values[i] = int32(binary.LittleEndian.Uint32([]byte(s[4*i : 4*i+4]))) // made in pack
	}
	return values
}
