package table

import (
	"math"
	"slices"

	"simrun/nodes/codec"
)

// Range is a range of the primary key or of an index: from Low to High, each a
// value for the first columns of the key. A row is in the range if these columns
// are not below Low and not above High, and not equal to one that is open. No
// values are no bound.
type Range struct {
	Low, High         []Datum
	LowOpen, HighOpen bool
}

// Point returns the range of the rows with these values.
func Point(values ...Datum) Range { return Range{Low: values, High: values} }

// span is a range of keys, the end excluded.
type span struct{ start, end []byte }

// rowSpans returns the keys of the rows in a range of the primary key, or of all
// rows if it has no bounds, in the order of the primary key.
//
// The bits of an unsigned primary key are taken for a signed handle: those from
// 2^63 on sort before 0. So a range that has both kinds is two ranges of keys, of
// which the second in the order of keys is the first of the primary key.
func (t *Table) rowSpans(r Range) []span {
	if !t.Unsigned() {
		low, high := int64(math.MinInt64), int64(math.MaxInt64)
		if len(r.Low) > 0 {
			low = r.Low[0].Int()
			if r.LowOpen && low == math.MaxInt64 {
				return nil
			} else if r.LowOpen {
				low++
			}
		}
		if len(r.High) > 0 {
			high = r.High[0].Int()
			if r.HighOpen && high == math.MinInt64 {
				return nil
			} else if r.HighOpen {
				high--
			}
		}
		return t.handleSpan(nil, low, high)
	}
	low, high := uint64(0), uint64(math.MaxUint64)
	if len(r.Low) > 0 {
		low = r.Low[0].Uint()
		if r.LowOpen && low == math.MaxUint64 {
			return nil
		} else if r.LowOpen {
			low++
		}
	}
	if len(r.High) > 0 {
		high = r.High[0].Uint()
		if r.HighOpen && high == 0 {
			return nil
		} else if r.HighOpen {
			high--
		}
	}
	return t.unsignedSpans(low, high)
}

// unsignedSpans returns the keys of the rows whose unsigned primary key is from
// low to high.
func (t *Table) unsignedSpans(low, high uint64) []span {
	if low > high {
		return nil
	}
	const half = 1 << 63
	var spans []span
	if low < half {
		spans = t.handleSpan(spans, int64(low), int64(min(high, half-1))) // below 2^63
	}
	if high >= half {
		spans = t.handleSpan(spans, int64(max(low, half)), int64(high)) // the same bits
	}
	return spans
}

// handleSpan appends the keys of the rows with handles from low to high.
func (t *Table) handleSpan(spans []span, low, high int64) []span {
	if low > high {
		return spans
	}
	return append(spans, span{codec.RowKey(t.ID, low), append(codec.RowKey(t.ID, high), 0)})
}

// entrySpan returns the keys of the entries in a range of an index.
func (t *Table) entrySpan(x *Index, r Range) span {
	prefix := codec.IndexPrefix(t.ID, x.ID)
	with := func(values []Datum) []byte {
		key := slices.Clone(prefix)
		for _, d := range values {
			key = codec.AppendDatum(key, d)
		}
		return key
	}
	s := span{start: prefix, end: codec.PrefixEnd(prefix)}
	if len(r.Low) > 0 {
		if s.start = with(r.Low); r.LowOpen {
			s.start = codec.PrefixEnd(s.start)
		}
	}
	if len(r.High) > 0 {
		if s.end = with(r.High); !r.HighOpen {
			s.end = codec.PrefixEnd(s.end)
		}
	}
	return s
}
