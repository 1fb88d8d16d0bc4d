package txn

import (
	"fmt"
	"strconv"
	"strings"

	"simrun/nodes/codec"
	"simrun/nodes/engine"
	"simrun/nodes/mvcc"
)

// Timestamps in stories are plain numbers (then all of one millisecond) or
// milliseconds and logical part, as in 100:1.

func parseTS(s string) uint64 {
	if s == "max" {
		return codec.MaxTS
	}
	physical, logical, split := strings.Cut(s, ":")
	if !split {
		physical, logical = "0", s
	}
	p, err1 := strconv.ParseUint(physical, 10, 64)
	l, err2 := strconv.ParseUint(logical, 10, 64)
	if err1 != nil || err2 != nil {
		panic("timestamp " + s)
	}
	return codec.ComposeTS(p, l)
}

func formatTS(ts uint64) string {
	if p := codec.PhysicalTS(ts); p != 0 {
		return fmt.Sprintf("%d:%d", p, codec.LogicalTS(ts))
	}
	return strconv.FormatUint(ts, 10)
}

func formatTSList(list []uint64) string {
	s := make([]string, len(list))
	for i, ts := range list {
		s[i] = formatTS(ts)
	}
	return strings.Join(s, ",")
}

// formatValue prints a value, a long one by its length.
func formatValue(v []byte) string {
	if len(v) > mvcc.ShortValueMax {
		return fmt.Sprintf("%.1q*%d", v, len(v))
	}
	return strconv.Quote(string(v))
}

func formatLock(l *mvcc.Lock) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v start=%s primary=%s ttl=%d", l.Type, formatTS(l.StartTS), l.Primary, l.TTL)
	if l.ShortValue != nil {
		fmt.Fprintf(&b, " value=%s", formatValue(l.ShortValue))
	}
	if l.ForUpdateTS != 0 {
		fmt.Fprintf(&b, " for-update=%s", formatTS(l.ForUpdateTS))
	}
	if l.TxnSize != 0 {
		fmt.Fprintf(&b, " size=%d", l.TxnSize)
	}
	if l.MinCommitTS != 0 {
		fmt.Fprintf(&b, " min-commit=%s", formatTS(l.MinCommitTS))
	}
	if l.UseAsyncCommit {
		fmt.Fprintf(&b, " async=%s", l.Secondaries)
	}
	if len(l.RollbackTS) > 0 {
		fmt.Fprintf(&b, " rollbacks=%s", formatTSList(l.RollbackTS))
	}
	return b.String()
}

func formatWrite(w *mvcc.Write) string {
	s := fmt.Sprintf("%v start=%s", w.Type, formatTS(w.StartTS))
	switch {
	case w.IsProtected():
		s += " protected"
	case w.ShortValue != nil:
		s += " value=" + formatValue(w.ShortValue)
	}
	if w.OverlappedRollback {
		s += " overlapped"
	}
	return s
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// dump prints the three column families.
func (r *region) dump() string {
	var b strings.Builder
	r.records(engine.Lock, func(key, value []byte) {
		fmt.Fprintf(&b, "lock    %s: %s\n", must(codec.DecodeKey(key)), formatLock(must(mvcc.DecodeLock(value))))
	})
	r.records(engine.Write, func(key, value []byte) {
		user, ts, err := codec.SplitTS(key)
		must(user, err)
		w := must(mvcc.DecodeWrite(value))
		fmt.Fprintf(&b, "write   %s@%s: %s\n", must(codec.DecodeKey(user)), formatTS(ts), formatWrite(&w))
	})
	r.records(engine.Default, func(key, value []byte) {
		user, ts, err := codec.SplitTS(key)
		if err == nil {
			if raw, err := codec.DecodeKey(user); err == nil {
				fmt.Fprintf(&b, "default %s@%s: %s\n", raw, formatTS(ts), formatValue(value))
				return
			}
		}
		fmt.Fprintf(&b, "default %s: %s\n", key, formatValue(value))
	})
	if b.Len() == 0 {
		return "empty\n"
	}
	return b.String()
}
