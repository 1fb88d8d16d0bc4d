package registers

import "fmt"

// Describe returns an entry of the log as people read it.
func Describe(entry []byte) string {
	if len(entry) == 0 {
		return "begin of a term"
	}
	q, err := parseRequest(entry)
	if err != nil {
		return fmt.Sprintf("%x: %v", entry, err)
	}
	switch q.op {
	case opGet:
		return fmt.Sprintf("GET key=%q", q.key)
	case opPut:
		return fmt.Sprintf("PUT key=%q value=%q", q.key, q.value.value)
	case opDelete:
		return fmt.Sprintf("DELETE key=%q", q.key)
	case opCompareAndSwap:
		return fmt.Sprintf("CAS key=%q expected=%s value=%q", q.key, q.expected, q.value.value)
	case opEnd:
	}
	return fmt.Sprintf("operation %d", q.op)
}

// String returns the value in quotes, or that it is absent.
func (o optional) String() string {
	if !o.present {
		return "absent"
	}
	return fmt.Sprintf("%q", o.value)
}
