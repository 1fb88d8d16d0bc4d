package registers

import (
	"encoding/binary"
	"errors"
)

// A datagram is its kind, one byte, and a body.
const (
	datagramRaft     byte = iota // a raftpb.Message
	datagramRequest              // a request
	datagramResponse             // a response
)

// operation is what a request asks for.
type operation byte

const (
	opGet operation = iota
	opPut
	opDelete
	opCompareAndSwap
	opEnd // not an operation
)

// optional is a string that may be absent.
type optional struct {
	value   string
	present bool
}

// attemptID names one attempt of a client: it is unique.
type attemptID struct {
	session uint64 // the client's process
	number  uint64 // ascending in a session
}

// request is one attempt of a client at an operation. Its encoding is also what
// the log holds.
type request struct {
	id          attemptID
	incarnation uint64 // the process that it is meant for; no process has 0
	op          operation
	key         string
	value       optional // of a put or a swap
	expected    optional // of a swap: absent means that the key must be absent
}

// response answers an attempt.
type response struct {
	id          attemptID
	incarnation uint64 // of the process that answers
	refused     bool   // the attempt was not and will not be executed
	leader      uint64 // of a refusal: the member that may lead, 0 if unknown
	swapped     bool
	value       optional // what was read, or what a swap found
}

var (
	errMalformed = errors.New("malformed datagram")
	errField     = errors.New("a field that nobody writes")
)

func (q *request) appendTo(b []byte) []byte {
	b = q.id.appendTo(b)
	b = binary.LittleEndian.AppendUint64(b, q.incarnation)
	b = append(b, byte(q.op))
	b = appendString(b, q.key)
	b = q.value.appendTo(b)
	return q.expected.appendTo(b)
}

func parseRequest(b []byte) (q request, err error) {
	d := decoder{rest: b}
	q.id = d.attempt()
	q.incarnation = d.uint64()
	q.op = operation(d.byte())
	q.key = d.string()
	q.value = d.optional()
	q.expected = d.optional()
	if d.failed || len(d.rest) > 0 || q.op >= opEnd {
		return request{}, errMalformed
	}
	return q, nil
}

func (r *response) appendTo(b []byte) []byte {
	b = r.id.appendTo(b)
	b = binary.LittleEndian.AppendUint64(b, r.incarnation)
	b = append(b, boolByte(r.refused))
	b = binary.AppendUvarint(b, r.leader)
	b = append(b, boolByte(r.swapped))
	return r.value.appendTo(b)
}

func parseResponse(b []byte) (r response, err error) {
	d := decoder{rest: b}
	r.id = d.attempt()
	r.incarnation = d.uint64()
	r.refused = d.byte() != 0
	r.leader = d.uvarint()
	r.swapped = d.byte() != 0
	r.value = d.optional()
	if d.failed || len(d.rest) > 0 {
		return response{}, errMalformed
	}
	return r, nil
}

func (id attemptID) appendTo(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, id.session)
	return binary.LittleEndian.AppendUint64(b, id.number)
}

func (o optional) appendTo(b []byte) []byte {
	b = append(b, boolByte(o.present))
	if o.present {
		b = appendString(b, o.value)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// decoder reads fields from the front. After a failure all reads return zero.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) take(n uint64) []byte {
	if d.failed || n > uint64(len(d.rest)) {
		d.failed = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.failed || n <= 0 {
		d.failed = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) string() string { return string(d.take(d.uvarint())) }

func (d *decoder) optional() optional {
	if d.byte() == 0 {
		return optional{}
	}
	return optional{d.string(), true}
}

func (d *decoder) attempt() attemptID { return attemptID{d.uint64(), d.uint64()} }
