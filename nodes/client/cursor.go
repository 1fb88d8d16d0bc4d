package client

import (
	"bytes"
	"fmt"

	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// cursor is what is left of a scan over the keys from lo to hi, hi excluded;
// an empty hi is no bound. Its keys are those of requests.
type cursor struct {
	lo, hi  []byte
	reverse bool
	// encoded: the bounds of regions are encoded keys (transactions), not the
	// keys of requests themselves (raw).
	encoded bool
	done    bool
}

func newCursor(lo, hi []byte, reverse, encoded bool) cursor {
	return cursor{lo: lo, hi: hi, reverse: reverse, encoded: encoded, done: isEmpty(lo, hi)}
}

func isEmpty(lo, hi []byte) bool { return len(hi) > 0 && bytes.Compare(lo, hi) >= 0 }

// part is the piece of a range that lies in one region.
type part struct {
	r      *region
	lo, hi []byte
	last   bool // the range ends in this region
}

// bounds returns the range of the part as scan requests want it: the start is
// where the scan begins, so for a reverse scan the upper bound.
func (p *part) bounds(reverse bool) (start, end []byte) {
	if reverse {
		return p.hi, p.lo
	}
	return p.lo, p.hi
}

// bound returns key in the form of region bounds.
func (cur *cursor) bound(key []byte) []byte {
	if !cur.encoded {
		return key
	}
	return codec.EncodeBytes(key)
}

// key returns the region bound in the form of the keys of requests. The two
// forms of no bound are the same: no region is split at the empty user key.
func (cur *cursor) key(bound []byte) ([]byte, error) {
	if !cur.encoded || len(bound) == 0 {
		return bound, nil
	}
	key, err := codec.DecodeKey(bound)
	if err != nil {
		return nil, fmt.Errorf("%w: bound %q of a region: %w", ErrRejected, bound, err)
	}
	return key, nil
}

// nextPart returns the part of what is left in which the scan goes on.
func (c *Client) nextPart(t env.Task, b *backoff, cur *cursor) (part, error) {
	p := part{lo: cur.lo, hi: cur.hi}
	var hiBound []byte
	if len(cur.hi) > 0 {
		hiBound = cur.bound(cur.hi)
	}
	var err error
	if cur.reverse {
		p.r, err = c.locateBefore(t, b, hiBound)
	} else {
		p.r, err = c.locate(t, b, cur.bound(cur.lo))
	}
	if err != nil {
		return p, err
	}
	start, err := cur.key(p.r.meta.StartKey)
	if err != nil {
		return p, err
	}
	end, err := cur.key(p.r.meta.EndKey)
	if err != nil {
		return p, err
	}
	startsBefore := bytes.Compare(start, cur.lo) <= 0
	endsAfter := p.r.endsAtOrAfter(hiBound)
	if !startsBefore {
		p.lo = start
	}
	if !endsAfter {
		p.hi = end
	}
	p.last = endsAfter
	if cur.reverse {
		p.last = startsBefore
	}
	return p, nil
}

// passed moves the cursor behind a part of which everything was returned.
func (cur *cursor) passed(p part) {
	switch {
	case p.last:
		cur.done = true
	case cur.reverse:
		cur.hi = p.lo
	default:
		cur.lo = p.hi
	}
}

// passedKey moves the cursor behind one key.
func (cur *cursor) passedKey(key []byte) {
	if cur.reverse {
		cur.hi = key
		// The empty key is the first of all; as a bound it would mean none.
		cur.done = len(key) == 0 || isEmpty(cur.lo, cur.hi)
		return
	}
	cur.lo = append(append(make([]byte, 0, len(key)+1), key...), 0)
	cur.done = isEmpty(cur.lo, cur.hi)
}
