package placement

import (
	"time"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/raftstore"
	"simrun/nodes/rpc"
)

// saveLimit is how long a request waits for what it needs to be saved.
const saveLimit = 5 * time.Second

// Server is a member.
type Server struct {
	env     *env.Env
	ep      *rpc.Endpoint
	cfg     Config
	replica *replica
	// leadership is the present one, nil if this member does not lead.
	leadership *leadership
}

// Open starts a member on databases that Prepare has prepared, and serves on
// ep. Everything in them must be durable by then.
func Open(e *env.Env, ep *rpc.Endpoint, cfg Config, eng *engine.Engines) (*Server, error) {
	cfg = cfg.withDefaults(e.Name)
	if err := cfg.validate(e.Name); err != nil {
		return nil, err
	}
	s := &Server{env: e, ep: ep, cfg: cfg}
	var err error
	if s.replica, err = openReplica(e, ep, cfg, eng, s.roleChanged); err != nil {
		return nil, err
	}
	s.register(ep)
	return s, nil
}

// serving returns the leadership that serves a request, or nil and why it cannot
// be served.
func (s *Server) serving(req *pdpb.RequestHeader) (*leadership, *pdpb.ResponseHeader) {
	h := &pdpb.ResponseHeader{ClusterId: s.cfg.ClusterID}
	l := s.leadership
	switch {
	case req.GetClusterId() != s.cfg.ClusterID:
		h.Error = invalid("request of another cluster")
	case l == nil:
		h.Error = s.notLeader()
	case !l.ready:
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_NOT_BOOTSTRAPPED, Message: "the leader is not ready"}
	default:
		return l, h
	}
	return nil, h
}

// notLeader turns a request away, to the leader if another member is known to
// be it.
func (s *Server) notLeader() *pdpb.Error {
	leader, _, self := s.replica.leader()
	if self || leader == s.env.Name {
		leader = ""
	}
	return notLeader(leader)
}

// Replica describes this member's replica of the records.
func (s *Server) Replica() raftstore.RegionInfo { return s.replica.store.Regions()[0] }

// Regions returns all known regions in the order of their keys, nil unless this
// member leads.
func (s *Server) Regions() []*pdpb.Region {
	if s.leadership == nil || !s.leadership.ready {
		return nil
	}
	var regions []*pdpb.Region
	for _, r := range s.leadership.regions.byStart {
		regions = append(regions, &pdpb.Region{Region: r.meta, Leader: r.leader})
	}
	return regions
}

// Stores returns all known stores by id, nil unless this member leads.
func (s *Server) Stores() []StoreStatus {
	if s.leadership == nil || !s.leadership.ready {
		return nil
	}
	return s.leadership.stores.statuses(s.env.Clock.Monotonic())
}

// Operators describes what the leader has under way, in the order of regions;
// nil unless this member leads.
func (s *Server) Operators() []string {
	if s.leadership == nil || !s.leadership.ready {
		return nil
	}
	var texts []string
	for _, op := range s.leadership.operators.all() {
		texts = append(texts, op.String())
	}
	return texts
}

// SafePoint returns the safe point of garbage collection that is in force, 0
// unless this member leads.
func (s *Server) SafePoint() uint64 {
	if s.leadership == nil || !s.leadership.ready {
		return 0
	}
	return s.leadership.safePoints.settled
}

func storeKey(id uint64) string  { return prefixStore + string(encodeUint64(id)) }
func regionKey(id uint64) string { return prefixRegion + string(encodeUint64(id)) }

func regionRecord(meta *metapb.Region) Record {
	return Record{regionKey(meta.Id), encode(meta)}
}

func encode(m interface{ Marshal() ([]byte, error) }) []byte {
	buf, err := m.Marshal()
	invariant.Check(err == nil, "placement: cannot encode %T: %v", m, err)
	return buf
}

// DumpLog returns the raft log of a member in readable form.
func DumpLog(eng *engine.Engines) ([]string, error) { return raftstore.DumpLog(eng, groupID) }
