package placement

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/rpc"
)

//nolint:gochecknoglobals // marks register once
var (
	markSafePointHeld    = invariant.NewMark("placement: safe point of garbage collection held back by a service")
	markSafePointStale   = invariant.NewMark("placement: service asked for a safe point that is passed")
	markSafePointExpired = invariant.NewMark("placement: safe point of a silent service dropped")
	markSafePointUnsaved = invariant.NewMark("placement: answer about safe points waited for earlier changes")
	markSafePointKept    = invariant.NewMark("placement: late removal of a safe point left a newer one")
)

// GCService is the name under which garbage collection itself has a service safe
// point: the one up to which it wants to advance (pd, server/storage/endpoint).
const GCService = "gc_worker"

// serviceSafePoint is a timestamp that a service still reads at: garbage
// collection must not pass it.
type serviceSafePoint struct {
	ts     uint64
	expiry int64 // physical part of a timestamp, ms
}

// safePoints are the bounds of garbage collection. There are two: the smallest
// safe point of a service, below which nothing new may begin, and the safe point
// of the collection itself, below which every transaction is settled. Both never
// go back.
//
// A change counts from the moment in which it is asked for, and is answered when
// it is saved: what is not saved was promised to nobody.
type safePoints struct {
	services map[string]serviceSafePoint
	settled  uint64
}

// loadSafePoints reads those that earlier leaders have saved. The clock of the timestamps may
// have leapt with the leadership, by a window at most, so that services which were a moment
// ago in time get as much longer. In the state their expiry stays, or every fail-over would
// add to it.
func loadSafePoints(img Image, window time.Duration) (*safePoints, error) {
	sp := &safePoints{services: map[string]serviceSafePoint{}}
	err := img.Load(prefixService, func(key string, value []byte) error {
		if len(value) != 16 {
			return fmt.Errorf("safe point of %d bytes", len(value))
		}
		known := serviceSafePoint{ts: binary.BigEndian.Uint64(value), expiry: int64(binary.BigEndian.Uint64(value[8:]))}
		known.expiry += min(window.Milliseconds(), math.MaxInt64-known.expiry)
		sp.services[key[len(prefixService):]] = known
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sp, img.Load(keySafePoint, func(_ string, value []byte) (err error) {
		sp.settled, err = decodeUint64(value)
		return err
	})
}

// update sets, moves or, without a time to live, removes the safe point of a
// service, and returns what has to be saved. A removal that names a timestamp is of a safe
// point up to that one: it may be late. A service cannot go below the least
// safe point there is, for that may be collected already: then nothing changes.
func (sp *safePoints) update(service string, ts uint64, ttl, now int64) []Record {
	records := sp.expire(now)
	known, exists := sp.services[service]
	switch {
	case ts == 0 && ttl <= 0 && service == GCService:
		// Only a question.
	case ttl <= 0:
		if exists && !markSafePointKept.Sometimes(ts != 0 && ts < known.ts) {
			delete(sp.services, service)
			records = append(records, Record{Key: prefixService + service})
		}
	case markSafePointStale.Sometimes(ts < sp.least()):
	case exists && ts < known.ts:
		// A message that is late, or a service that goes back: neither is obeyed.
	default:
		expiry := int64(math.MaxInt64)
		if ttl < (math.MaxInt64-now)/1000 {
			expiry = now + ttl*1000
		}
		sp.services[service] = serviceSafePoint{ts, expiry}
		value := binary.BigEndian.AppendUint64(encodeUint64(ts), uint64(expiry))
		records = append(records, Record{prefixService + service, value})
	}
	markSafePointHeld.Sometimes(sp.least() < sp.services[GCService].ts)
	return records
}

// least returns the smallest safe point of a service. Without any, everything may
// still be read.
func (sp *safePoints) least() uint64 {
	if _, ok := sp.services[GCService]; !ok {
		return 0 // nothing was ever collected
	}
	least := uint64(math.MaxUint64)
	for _, name := range slices.Sorted(maps.Keys(sp.services)) {
		least = min(least, sp.services[name].ts)
	}
	return least
}

// expire drops the safe points of services that were silent for too long by the
// clock of the timestamps, which no jump of a wall clock moves far.
func (sp *safePoints) expire(now int64) (records []Record) {
	for _, name := range slices.Sorted(maps.Keys(sp.services)) {
		if markSafePointExpired.Sometimes(sp.services[name].expiry < now) {
			delete(sp.services, name)
			records = append(records, Record{Key: prefixService + name})
		}
	}
	return records
}

// settle moves the safe point of the collection. It follows the least safe point
// of a service and is never beyond it.
func (sp *safePoints) settle(ts uint64) []Record {
	ts = min(ts, sp.least())
	if ts <= sp.settled {
		return nil
	}
	sp.settled = ts
	return []Record{{keySafePoint, encodeUint64(ts)}}
}

// saved waits until records are committed, and all changes before them, for the answer may
// depend on those too: were it told and they lost, a later leader would go back. Without any
// of them it waits until it is certain that this member leads: a later leader may have
// changed what the answer says.
func (l *leadership) saved(t env.Task, records []Record) error {
	if len(records) == 0 && !markSafePointUnsaved.Sometimes(l.saver.busy()) {
		return l.confirm(t)
	}
	done := &env.Future[struct{}]{}
	l.Save(records, func(err error) { done.Resolve(struct{}{}, err) })
	_, err := done.Await(t, saveLimit)
	return err
}

// handleUpdateServiceGCSafePoint answers with the least safe point of a service.
// One that is above what was asked for says that the request came too late, and
// has changed nothing.
func (s *Server) handleUpdateServiceGCSafePoint(
	t env.Task, _ env.Addr, req *pdpb.UpdateServiceGCSafePointRequest,
) *pdpb.UpdateServiceGCSafePointResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.UpdateServiceGCSafePointResponse{Header: h, ServiceId: req.ServiceId, TTL: req.TTL}
	if l == nil {
		return resp
	}
	if len(req.ServiceId) == 0 {
		h.Error = invalid("safe point of a service without a name")
		return resp
	}
	records := l.safePoints.update(string(req.ServiceId), req.SafePoint, req.TTL, l.oracle.physical)
	resp.MinSafePoint = l.safePoints.least()
	if err := l.saved(t, records); err != nil {
		return failed(s, h, resp, err)
	}
	return resp
}

// handleUpdateGCSafePoint answers with the safe point that is in force.
func (s *Server) handleUpdateGCSafePoint(t env.Task, _ env.Addr, req *pdpb.UpdateGCSafePointRequest) *pdpb.UpdateGCSafePointResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.UpdateGCSafePointResponse{Header: h}
	if l == nil {
		return resp
	}
	records := l.safePoints.settle(req.SafePoint)
	resp.NewSafePoint = l.safePoints.settled
	if err := l.saved(t, records); err != nil {
		return failed(s, h, resp, err)
	}
	return resp
}

func (s *Server) handleGetGCSafePoint(t env.Task, _ env.Addr, req *pdpb.GetGCSafePointRequest) *pdpb.GetGCSafePointResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.GetGCSafePointResponse{Header: h}
	if l == nil {
		return resp
	}
	resp.SafePoint = l.safePoints.settled
	if err := l.saved(t, nil); err != nil {
		return failed(s, h, resp, err)
	}
	return resp
}

// UpdateServiceGCSafePoint asks that garbage collection leave everything that is
// visible at ts, for as long as ttl, in whole seconds; none ends what was asked for up to
// ts, or all of it if that is 0. It returns the least timestamp that any service has asked
// for: if that is above ts, it is too late.
func (c *Client) UpdateServiceGCSafePoint(t env.Task, service string, ts uint64, ttl time.Duration) (least uint64, err error) {
	resp, err := call[pdpb.UpdateServiceGCSafePointResponse](c, t, rpc.PdUpdateServiceGCSafePoint,
		&pdpb.UpdateServiceGCSafePointRequest{
			Header: c.header, ServiceId: []byte(service), SafePoint: ts, TTL: int64(ttl / time.Second),
		})
	return resp.GetMinSafePoint(), err
}

// UpdateGCSafePoint says that all transactions which began before ts are
// settled, and returns the safe point that is in force.
func (c *Client) UpdateGCSafePoint(t env.Task, ts uint64) (uint64, error) {
	resp, err := call[pdpb.UpdateGCSafePointResponse](c, t, rpc.PdUpdateGCSafePoint,
		&pdpb.UpdateGCSafePointRequest{Header: c.header, SafePoint: ts})
	return resp.GetNewSafePoint(), err
}

// SafePoints returns the two bounds of garbage collection: nothing new begins
// below closed, and below settled nothing is decided any more.
func (c *Client) SafePoints(t env.Task) (closed, settled uint64, err error) {
	// The smaller one first: both move forward meanwhile.
	resp, err := call[pdpb.GetGCSafePointResponse](c, t, rpc.PdGetGCSafePoint, &pdpb.GetGCSafePointRequest{Header: c.header})
	if err != nil {
		return 0, 0, err
	}
	closed, err = c.UpdateServiceGCSafePoint(t, GCService, 0, 0) // only a question
	return closed, resp.SafePoint, err
}

// AdvanceSafePoint is the first step of a collection: it wants everything below
// ts, and gets what no service asks for any more, the result.
func (c *Client) AdvanceSafePoint(t env.Task, ts uint64) (least uint64, err error) {
	return c.UpdateServiceGCSafePoint(t, GCService, ts, math.MaxInt64)
}
