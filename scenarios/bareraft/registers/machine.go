package registers

import (
	"encoding/binary"
	"maps"
	"slices"

	"simrun/nodes/invariant"
)

// machine is the state machine: the registers. Absent ones are not in it.
type machine map[string]string

// execute runs an operation. The result's ids are left to the caller.
func (m machine) execute(q *request) response {
	current, present := m[q.key]
	result := response{value: optional{current, present}}
	switch q.op {
	case opGet:
	case opPut:
		m[q.key] = q.value.value
	case opDelete:
		delete(m, q.key)
	case opCompareAndSwap:
		result.swapped = result.value == q.expected
		if result.swapped {
			m[q.key] = q.value.value
		}
	case opEnd:
		invariant.Fail("registers: an operation of kind %d", q.op)
	}
	return result
}

// snapshot encodes the registers, in the order of their keys.
func (m machine) snapshot() []byte {
	b := binary.AppendUvarint(nil, uint64(len(m)))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		b = appendString(b, key)
		b = appendString(b, m[key])
	}
	return b
}

// restore decodes a snapshot. That of an empty log is empty.
func restore(snapshot []byte) machine {
	m := machine{}
	if len(snapshot) == 0 {
		return m
	}
	d := decoder{rest: snapshot}
	for range d.uvarint() {
		key := d.string()
		m[key] = d.string()
	}
	invariant.Check(!d.failed && len(d.rest) == 0, "registers: a snapshot of %d bytes is malformed", len(snapshot))
	return m
}
