package nodes

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/placement"
	"simrun/nodes/rpc"
	"simrun/nodes/txn"
)

//nolint:gochecknoglobals // marks register once
var markJoinedSafe = invariant.NewMark("store: learnt the safe points when it was registered")

// safePointKey is where a store keeps the bounds of garbage collection, among the
// local records of the key-value database: Closed and Settled, big endian.
func safePointKey() []byte { return []byte{0x01, 0x04} }

// safePoints keeps the bounds of garbage collection of a store, which the
// scheduler enforces. A bound is answered for only when it is durable: a store
// that forgot it might read what is removed.
type safePoints struct {
	env   *env.Env
	db    *engine.DB
	sched *txn.Scheduler
}

func saveSafePoints(db *engine.DB, p txn.SafePoints) error {
	b := db.NewBatch()
	defer b.Close()
	value := binary.BigEndian.AppendUint64(nil, p.Closed)
	b.Put(engine.Raft, safePointKey(), binary.BigEndian.AppendUint64(value, p.Settled))
	return db.Write(b)
}

// load takes up what the store knows from earlier.
func (s *safePoints) load() error {
	value, err := s.db.Get(engine.Raft, safePointKey())
	switch {
	case err != nil:
		return err
	case value == nil:
		return nil // the store is not registered yet
	case len(value) != 16:
		return fmt.Errorf("safe points of %d bytes", len(value))
	}
	s.sched.SetSafePoints(txn.SafePoints{Closed: binary.BigEndian.Uint64(value), Settled: binary.BigEndian.Uint64(value[8:])})
	return nil
}

// join asks the placement driver, with whom the store is registered, for the
// bounds, unless it knows them. Whoever moves them either finds the store in the
// list of stores, or has moved them before; so a store must not know them, and
// serve transactions, before it is in the list.
func (s *safePoints) join(t env.Task, pd *placement.Client) error {
	if _, known := s.sched.SafePoints(); known {
		return nil
	}
	closed, settled, err := pd.SafePoints(t)
	if err != nil {
		return err
	}
	markJoinedSafe.Reached()
	s.sched.SetSafePoints(txn.SafePoints{Closed: closed, Settled: settled})
	return s.save(t)
}

// save returns when the bounds are durable.
func (s *safePoints) save(t env.Task) error {
	p, _ := s.sched.SafePoints()
	if err := saveSafePoints(s.db, p); err != nil {
		return err
	}
	durable := &env.Future[struct{}]{}
	s.env.Disk.Barrier(func() { durable.Resolve(struct{}{}, nil) })
	_, err := durable.Await(t, -1)
	return err
}

var errSafePointsUnknown = errors.New("the store does not know the safe points yet")

// move moves the bounds, and returns when no command is under way that has passed
// them, and when they are durable.
func (s *safePoints) move(t env.Task, p txn.SafePoints) (txn.SafePoints, error) {
	if _, known := s.sched.SafePoints(); !known {
		return txn.SafePoints{}, errSafePointsUnknown
	}
	s.sched.MoveSafePoints(t, p)
	err := s.save(t)
	p, _ = s.sched.SafePoints()
	return p, err
}

// serve offers the two services by which the bounds are moved. They have the
// messages with which the placement driver is told: TiKV has none, since its
// stores do not refuse.
func (s *safePoints) serve(ep *rpc.Endpoint) {
	handle(ep, rpc.CloseSafePoint,
		func(t env.Task, req *pdpb.UpdateServiceGCSafePointRequest) *pdpb.UpdateServiceGCSafePointResponse {
			p, err := s.move(t, txn.SafePoints{Closed: req.SafePoint})
			if err != nil {
				return nil // it will be asked again
			}
			return &pdpb.UpdateServiceGCSafePointResponse{MinSafePoint: p.Closed}
		})
	handle(ep, rpc.SettleSafePoint, func(t env.Task, req *pdpb.UpdateGCSafePointRequest) *pdpb.UpdateGCSafePointResponse {
		p, err := s.move(t, txn.SafePoints{Closed: req.SafePoint, Settled: req.SafePoint})
		if err != nil {
			return nil
		}
		return &pdpb.UpdateGCSafePointResponse{NewSafePoint: p.Settled}
	})
}
