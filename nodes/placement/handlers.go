package placement

import (
	"errors"
	"slices"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/env"
	"simrun/nodes/rpc"
)

const (
	// maxTimestamps is the most that one request may ask for, maxSplit the most
	// regions.
	maxTimestamps = maxLogical
	maxSplit      = 1024
)

// register installs the handlers of all methods.
func (s *Server) register(ep *rpc.Endpoint) {
	rpc.Handle(ep, rpc.PdTso, s.handleTso)
	rpc.Handle(ep, rpc.PdAllocID, s.handleAllocID)
	rpc.Handle(ep, rpc.PdPutStore, s.handlePutStore)
	rpc.Handle(ep, rpc.PdAskBatchSplit, s.handleAskBatchSplit)
	rpc.Handle(ep, rpc.PdGetAllStores, s.handleGetAllStores)
	rpc.Handle(ep, rpc.PdGetGCSafePoint, s.handleGetGCSafePoint)
	rpc.Handle(ep, rpc.PdUpdateGCSafePoint, s.handleUpdateGCSafePoint)
	rpc.Handle(ep, rpc.PdUpdateServiceGCSafePoint, s.handleUpdateServiceGCSafePoint)
	rpc.HandleFast(ep, rpc.PdGetStore, s.handleGetStore)
	rpc.HandleFast(ep, rpc.PdStoreHeartbeat, s.handleStoreHeartbeat)
	rpc.HandleFast(ep, rpc.PdGetRegion, s.handleGetRegion)
	rpc.HandleFast(ep, rpc.PdGetRegionByID, s.handleGetRegionByID)
	rpc.HandleFast(ep, rpc.PdRegionHeartbeat, s.handleRegionHeartbeat)
}

// failed answers a request that went wrong while it was served. One that waited
// too long gets no answer.
func failed[R any](s *Server, h *pdpb.ResponseHeader, resp *R, err error) *R {
	if !errors.Is(err, errNotLeader) {
		return nil
	}
	h.Error = s.notLeader()
	return resp
}

func (s *Server) handleTso(t env.Task, _ env.Addr, req *pdpb.TsoRequest) *pdpb.TsoResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.TsoResponse{Header: h}
	switch {
	case l == nil:
		return resp
	case req.Count == 0 || req.Count > maxTimestamps:
		h.Error = invalid("count of timestamps out of range")
		return resp
	}
	physical, logical, err := l.timestamps(t, int64(req.Count))
	if err != nil {
		return failed(s, h, resp, err)
	}
	resp.Count = req.Count
	resp.Timestamp = &pdpb.Timestamp{Physical: physical, Logical: logical}
	return resp
}

// timestamps hands out count timestamps and returns the last of them. That this
// member still leads must be certain at an instant after it was asked, or it
// might have been asked after a later leader has handed out greater ones.
func (l *leadership) timestamps(t env.Task, count int64) (physical, logical int64, err error) {
	if err := l.confirm(t); err != nil {
		return 0, 0, err
	}
	return l.takeTimestamps(t, count)
}

func (s *Server) handleAllocID(t env.Task, _ env.Addr, req *pdpb.AllocIDRequest) *pdpb.AllocIDResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.AllocIDResponse{Header: h}
	if l == nil {
		return resp
	}
	id, err := l.newID(t)
	if err != nil {
		return failed(s, h, resp, err)
	}
	resp.Id = id
	return resp
}

// newID hands out an id that is greater than all that were handed out before it
// was asked for, by anybody: stores tell by their ids which of two peers is the
// later one. See timestamps.
func (l *leadership) newID(t env.Task) (uint64, error) {
	if err := l.confirm(t); err != nil {
		return 0, err
	}
	return l.takeIDs(t, 1)
}

func (s *Server) handlePutStore(t env.Task, _ env.Addr, req *pdpb.PutStoreRequest) *pdpb.PutStoreResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.PutStoreResponse{Header: h}
	if l == nil {
		return resp
	}
	meta, refusal := l.stores.admit(req.Store)
	if refusal != nil {
		h.Error = refusal
		return resp
	}
	saved := &env.Future[struct{}]{}
	l.saveStore(meta, func(err error) {
		if err == nil && req.Store.State == metapb.StoreState_Up {
			l.stores.hear(meta.Id, s.env.Clock.Monotonic()) // it has registered itself
		}
		saved.Resolve(struct{}{}, err)
	})
	if _, err := saved.Await(t, saveLimit); err != nil {
		return failed(s, h, resp, err)
	}
	return resp
}

func (s *Server) handleGetStore(_ env.Addr, req *pdpb.GetStoreRequest) *pdpb.GetStoreResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.GetStoreResponse{Header: h}
	if l == nil {
		return resp
	}
	store := l.stores.stores[req.StoreId]
	if store == nil {
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_ENTRY_NOT_FOUND, Message: "store is not registered"}
		return resp
	}
	resp.Store, resp.Stats = store.meta, store.stats
	return resp
}

// handleGetAllStores lists the stores for whoever has to reach all of them: no
// store may be missing that was registered before the call, so that this member
// must lead for certain.
func (s *Server) handleGetAllStores(t env.Task, _ env.Addr, req *pdpb.GetAllStoresRequest) *pdpb.GetAllStoresResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.GetAllStoresResponse{Header: h}
	if l == nil {
		return resp
	}
	if err := l.confirm(t); err != nil {
		return failed(s, h, resp, err)
	}
	resp.Stores = l.stores.all(!req.ExcludeTombstoneStores)
	return resp
}

func (s *Server) handleStoreHeartbeat(_ env.Addr, req *pdpb.StoreHeartbeatRequest) *pdpb.StoreHeartbeatResponse {
	l, h := s.serving(req.Header)
	if l != nil {
		h.Error = l.stores.heartbeat(req.Stats, s.env.Clock.Wall().UnixNano(), s.env.Clock.Monotonic())
	}
	resp := &pdpb.StoreHeartbeatResponse{Header: h}
	if l != nil && h.Error == nil && markAwaken.Sometimes(l.regions.unheard()) {
		// Regions that sleep are reported rarely, for nothing about them changes. But
		// this leadership has yet to hear of some for the first time.
		resp.AwakenRegions = &pdpb.AwakenRegions{}
	}
	return resp
}

func (s *Server) handleGetRegion(_ env.Addr, req *pdpb.GetRegionRequest) *pdpb.GetRegionResponse {
	l, h := s.serving(req.Header)
	if l == nil {
		return &pdpb.GetRegionResponse{Header: h}
	}
	return regionResponse(h, l.regions.get(req.RegionKey))
}

func (s *Server) handleGetRegionByID(_ env.Addr, req *pdpb.GetRegionByIDRequest) *pdpb.GetRegionResponse {
	l, h := s.serving(req.Header)
	if l == nil {
		return &pdpb.GetRegionResponse{Header: h}
	}
	return regionResponse(h, l.regions.byID[req.RegionId])
}

func regionResponse(h *pdpb.ResponseHeader, r *regionInfo) *pdpb.GetRegionResponse {
	if r == nil {
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_REGION_NOT_FOUND, Message: "region is not known"}
		return &pdpb.GetRegionResponse{Header: h}
	}
	return &pdpb.GetRegionResponse{Header: h, Region: r.meta, Leader: r.leader}
}

func (s *Server) handleRegionHeartbeat(_ env.Addr, req *pdpb.RegionHeartbeatRequest) *pdpb.RegionHeartbeatResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.RegionHeartbeatResponse{
		Header:      h,
		RegionId:    req.Region.GetId(),
		RegionEpoch: req.Region.GetRegionEpoch(),
		TargetPeer:  req.Leader,
	}
	if l == nil {
		return resp
	}
	if req.Region.GetId() == 0 || req.Leader.GetId() == 0 {
		h.Error = invalid("heartbeat without region or leader")
		return resp
	}
	r := &regionInfo{
		meta: req.Region, leader: req.Leader, term: req.Term,
		heard: true, at: s.env.Clock.Monotonic(), pending: req.PendingPeers, size: req.ApproximateSize, keys: req.ApproximateKeys,
	}
	if err := l.reportRegion(r); err != nil {
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_UNKNOWN, Message: err.Error()}
		return resp
	}
	l.operators.dispatch(l.regions.byID[req.Region.Id], s.env.Clock.Monotonic(), resp)
	return resp
}

// handleAskBatchSplit hands out the ids of new regions and of their peers, for
// a split that may or may not happen.
func (s *Server) handleAskBatchSplit(t env.Task, _ env.Addr, req *pdpb.AskBatchSplitRequest) *pdpb.AskBatchSplitResponse {
	l, h := s.serving(req.Header)
	resp := &pdpb.AskBatchSplitResponse{Header: h}
	if l == nil {
		return resp
	}
	known := l.regions.byID[req.Region.GetId()]
	switch {
	case req.SplitCount == 0 || req.SplitCount > maxSplit:
		h.Error = invalid("count of new regions out of range")
	case known == nil:
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_REGION_NOT_FOUND, Message: "region is not known"}
	case req.Region.GetRegionEpoch().GetVersion() < known.version():
		err := &staleError{req.Region, known.meta, "known is epoch of"}
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_UNKNOWN, Message: err.Error()}
	}
	if h.Error != nil {
		return resp
	}
	peers := uint64(len(req.Region.Peers))
	first, err := l.takeIDs(t, uint64(req.SplitCount)*(1+peers))
	if err != nil {
		return failed(s, h, resp, err)
	}
	for range req.SplitCount {
		id := &pdpb.SplitID{NewRegionId: first}
		for i := range peers {
			id.NewPeerIds = append(id.NewPeerIds, first+1+i)
		}
		resp.Ids = append(resp.Ids, id)
		first += 1 + peers
	}
	return resp
}

// peerOn returns the region's peer on a store, nil if there is none.
func peerOn(meta *metapb.Region, store uint64) *metapb.Peer {
	i := slices.IndexFunc(meta.Peers, func(p *metapb.Peer) bool { return p.StoreId == store })
	if i < 0 {
		return nil
	}
	return meta.Peers[i]
}
