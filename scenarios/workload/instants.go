package workload

import (
	"simrun/nodes/client"
	"simrun/nodes/env"
	"simrun/sim/history"
	"simrun/sim/stream"
)

// instants are reads that draw no timestamp, as parameters of a workload in per
// mille of the operations: newest, those that read one key as it is now; past,
// those that read several at a timestamp which the client was given before, for
// another transaction.
type instants struct {
	newest, past int
}

func newInstants(cfg *Config) instants {
	return instants{newest: cfg.param("newest"), past: cfg.param("past")}
}

// step runs one such read of the named keys, which are all that begin with the
// prefix, and says whether it was drawn. A workload without them draws nothing.
func (i instants) step(t env.Task, s *Session, r *stream.Stream, names []string, prefix string) bool {
	if i.newest+i.past == 0 {
		return false
	}
	switch draw := r.IntN(1000); {
	case draw < i.newest:
		s.newest(t, names[r.IntN(len(names))])
		return true
	case draw < i.newest+i.past && len(s.given) > 0:
		s.asOf(t, r, names, prefix)
		return true
	}
	return false
}

// newest reads and records what is newest of one key. If it fails, the record says so.
func (s *Session) newest(t env.Task, key string) {
	op := s.begin(history.Op{Kind: history.Txn, Txn: &history.TxnRecord{Newest: true}})
	s.Wanted = [][2]string{{key}}
	value, found, err := s.DB.GetNewest(t, []byte(key))
	if err == nil {
		op.Txn.Ops = []history.TxnOp{{Kind: history.TxnRead, Key: key, Value: optional(value, found)}}
	}
	_ = s.end(op, err)
}

const (
	// givenMax is how many timestamps a client remembers, givenEvery how many it
	// passes over before the next: so they go back for some seconds.
	givenMax   = 8
	givenEvery = 4
)

// remember notes a timestamp that the client was given. What it was given before
// its first operation is older than the data.
func (s *Session) remember(ts uint64) {
	if s.steps == 0 || s.steps%givenEvery != 0 {
		return
	}
	if len(s.given) < givenMax {
		s.given = append(s.given, ts)
		return
	}
	s.given[s.steps/givenEvery%givenMax] = ts
}

// asOf reads and records the database as it was at a timestamp of the past: some
// keys one by one or at once, or all of them by scans. If it fails, the record says so.
func (s *Session) asOf(t env.Task, r *stream.Stream, names []string, prefix string) {
	x := view{Snapshot: s.DB.Snapshot(s.given[r.IntN(len(s.given))]), session: s}
	chosen := pick(r, names, 1+r.IntN(4))
	way, page, reverse := r.IntN(4), 1+r.IntN(len(names)), r.PerMille(300)
	op := s.begin(history.Op{Kind: history.Txn, Txn: &history.TxnRecord{StartTS: x.TS(), AsOf: true}})
	x.record = op.Txn
	var err error
	switch way {
	case 0:
		err = x.each(t, chosen)
	case 1:
		err = x.together(t, chosen)
	case 2:
		err = x.scan(t, prefix, after(prefix), 0, reverse)
	default:
		err = x.scan(t, prefix, after(prefix), page, reverse)
	}
	_ = s.end(op, err)
}

// view is a snapshot that records what it shows.
type view struct {
	*client.Snapshot
	session *Session
	record  *history.TxnRecord
}

func (x *view) note(op history.TxnOp) { x.record.Ops = append(x.record.Ops, op) }

// each reads keys one after the other.
func (x *view) each(t env.Task, names []string) error {
	for _, key := range names {
		x.session.Wanted = [][2]string{{key}}
		value, found, err := x.Get(t, []byte(key))
		if err != nil {
			return err
		}
		x.note(history.TxnOp{Kind: history.TxnRead, Key: key, Value: optional(value, found)})
	}
	return nil
}

// together reads keys by one call.
func (x *view) together(t env.Task, names []string) error {
	x.session.Wanted = nil
	for _, key := range names {
		x.session.Wanted = append(x.session.Wanted, [2]string{key})
	}
	pairs, err := x.BatchGet(t, bytesOf(names))
	if err != nil {
		return err
	}
	found := map[string]string{}
	for _, p := range pairs {
		found[string(p.Key)] = string(p.Value)
	}
	for _, key := range names {
		value, ok := found[key]
		x.note(history.TxnOp{Kind: history.TxnRead, Key: key, Value: optional([]byte(value), ok)})
	}
	return nil
}

// scan reads the range [start, end), backward if reverse, by one page of the given
// size after the other; 0 is one page for all.
func (x *view) scan(t env.Task, start, end string, size int, reverse bool) error {
	read := x.Scan
	if reverse {
		read = x.ReverseScan
	}
	for {
		x.session.Wanted = [][2]string{{start, end}}
		rows, err := read(t, []byte(start), []byte(end), size)
		if err != nil {
			return err
		}
		pairs := make([]history.Pair, 0, len(rows))
		for _, row := range rows {
			pairs = append(pairs, history.Pair{Key: string(row.Key), Value: string(row.Value)})
		}
		x.note(history.TxnOp{Kind: history.TxnScan, Key: start, EndKey: end, Limit: size, Reverse: reverse, Pairs: pairs})
		if size == 0 || len(rows) < size {
			return nil
		}
		last := pairs[len(pairs)-1].Key
		if reverse {
			end = last
		} else {
			start = last + "\x00"
		}
	}
}
