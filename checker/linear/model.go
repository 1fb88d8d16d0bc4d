package linear

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"simrun/sim/history"
)

// state is the state of a register, a string register or a mutex.
type state struct {
	any   bool   // nothing is known of it; what is seen first is what it was
	fresh bool   // no call was made yet: it is the object's initial state
	value int32  // of a register: an interned value; of a mutex: 1 if held
	sum   uint64 // of a string register: a hash of text
	text  string
}

// joined returns the state of a string register after more was appended. Its
// hash grows with it (FNV-1a): strings are long, and there are many states.
func (s state) joined(more string) state {
	sum := s.sum
	for i := 0; i < len(more); i++ {
		sum = (sum ^ uint64(more[i])) * 0x100000001b3
	}
	return state{sum: sum, text: s.text + more}
}

// textState is the state of a string register.
func textState(text string) state { return state{sum: 0xcbf29ce484222325}.joined(text) }

// absent is the interned absent value.
const absent = 0

// model returns porcupine's view of the object. The search below it is untyped;
// this is the only place where its values are taken apart.
func (o *object) model(anyInit bool) porcupine.Model {
	if o.family == familyMulti {
		return o.multi.model(anyInit)
	}
	init := o.init
	if anyInit {
		init = state{any: true}
	}
	step := stepFor(o.family)
	return porcupine.Model{
		Init: func() any { return init },
		Step: func(s, input, _ any) (bool, any) {
			next, ok := step(s.(state), input.(*call))
			return ok, next
		},
		Hash: func(s any) uint64 {
			st := s.(state)
			return (uint64(uint32(st.value)) + st.sum) * 0x9e3779b97f4a7c15
		},
		DescribeOperation: func(input, _ any) string { return describe(input.(*call)) },
		DescribeState:     func(s any) string { return o.describeState(s.(state)) },
	}
}

func stepFor(f family) func(state, *call) (state, bool) {
	switch f {
	case familyMutex:
		return stepMutex
	case familyString:
		return stepString
	case familyRegister, familyMulti:
	}
	return stepRegister
}

// stepRegister is the sequential register. A call of unknown outcome that is
// ordered here took effect, if it had any to take.
func stepRegister(s state, c *call) (state, bool) {
	switch c.op.Kind {
	case history.Read:
		return state{value: c.value}, s.any || s.value == c.value
	case history.CAS:
		return stepCAS(s, c)
	default: // write
		return state{value: c.value}, true
	}
}

func stepCAS(s state, c *call) (state, bool) {
	match := s.value == c.expected
	switch {
	case s.any && c.unknown:
		return s, true // it is the value now, or it is not: still anything
	case s.any && c.op.Swapped, match && (c.op.Swapped || c.unknown):
		return state{value: c.value}, true
	case s.any:
		return s, true // anything but the expected
	case c.unknown:
		return s, true
	}
	return s, !match && !c.op.Swapped
}

// stepString is the register that can be appended to. The absent value and the
// empty string are one.
func stepString(s state, c *call) (state, bool) {
	var v string
	if c.op.Value != nil {
		v = *c.op.Value
	}
	switch c.op.Kind {
	case history.Read:
		if s.any {
			return textState(v), true
		}
		return s, s.text == v
	case history.Append:
		if s.any {
			return s, true
		}
		return s.joined(v), true
	case history.CAS:
		return stepStringCAS(s, c, v)
	default: // write
		return textState(v), true
	}
}

func stepStringCAS(s state, c *call, v string) (state, bool) {
	var expected string
	if c.op.Expected != nil {
		expected = *c.op.Expected
	}
	match := s.text == expected
	switch {
	case s.any && !c.op.Swapped:
		return s, true
	case s.any, match && (c.op.Swapped || c.unknown):
		return textState(v), true
	case c.unknown:
		return s, true
	}
	return s, !match && !c.op.Swapped
}

// stepMutex is the lock that does not know its holder. A call of unknown outcome
// that does not fit the state had no effect.
func stepMutex(s state, c *call) (state, bool) {
	from, to := int32(0), int32(1)
	if c.op.Kind == history.Release {
		from, to = to, from
	}
	if s.any || s.value == from {
		return state{value: to}, true
	}
	return s, c.unknown
}

// describe prints a call as a page or a message shows it.
func describe(c *call) string {
	op := c.op
	suffix := ""
	if c.unknown {
		suffix = " (unknown)"
	}
	switch op.Kind {
	case history.Read:
		return "read() -> " + quote(op.Value)
	case history.Write:
		if op.Value == nil {
			return "delete()" + suffix
		}
		return "write(" + quote(op.Value) + ")" + suffix
	case history.CAS:
		if !c.unknown {
			suffix = fmt.Sprintf(" -> %t", op.Swapped)
		}
		return "cas(" + quote(op.Expected) + ", " + quote(op.Value) + ")" + suffix
	case history.Append:
		return "append(" + quote(op.Value) + ")" + suffix
	case history.Txn:
		parts := make([]string, len(c.txn))
		for i, a := range c.txn {
			parts[i] = a.String()
		}
		return "txn(" + strings.Join(parts, ", ") + ")" + suffix
	case history.Acquire, history.Release, history.Timestamp:
	}
	return string(op.Kind) + "()" + suffix
}

func (o *object) describeState(s state) string {
	switch {
	case s.fresh:
		return "initial"
	case s.any:
		return "anything"
	case o.family == familyString:
		return quote(&s.text)
	case o.family == familyMutex && s.value == 1:
		return "held"
	case o.family == familyMutex:
		return "free"
	case s.value == absent:
		return "nothing"
	}
	return quote(&o.values.text[s.value])
}
