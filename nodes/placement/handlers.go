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

// Register installs the handlers of all methods.
func (s *Server) Register(ep *rpc.Endpoint) {
	rpc.Handle(ep, rpc.PdTso, s.handleTso)
	rpc.Handle(ep, rpc.PdAllocID, s.handleAllocID)
	rpc.Handle(ep, rpc.PdPutStore, s.handlePutStore)
	rpc.Handle(ep, rpc.PdAskBatchSplit, s.handleAskBatchSplit)
	rpc.HandleFast(ep, rpc.PdGetMembers, s.handleGetMembers)
	rpc.HandleFast(ep, rpc.PdGetStore, s.handleGetStore)
	rpc.HandleFast(ep, rpc.PdGetAllStores, s.handleGetAllStores)
	rpc.HandleFast(ep, rpc.PdStoreHeartbeat, s.handleStoreHeartbeat)
	rpc.HandleFast(ep, rpc.PdGetRegion, s.handleGetRegion)
	rpc.HandleFast(ep, rpc.PdGetRegionByID, s.handleGetRegionByID)
	rpc.HandleFast(ep, rpc.PdScanRegions, s.handleScanRegions)
	rpc.HandleFast(ep, rpc.PdRegionHeartbeat, s.handleRegionHeartbeat)
	rpc.HandleFast(ep, rpc.PdReportBatchSplit, s.handleReportBatchSplit)
}

// header begins a response. ok is false if the request cannot be served.
func (s *Server) header(req *pdpb.RequestHeader) (h *pdpb.ResponseHeader, ok bool) {
	h = &pdpb.ResponseHeader{ClusterId: s.cfg.ClusterID}
	switch leader, self := s.storage.Leader(); {
	case req.GetClusterId() != s.cfg.ClusterID:
		h.Error = invalid("request of another cluster")
	case !self:
		h.Error = notLeader(leader)
	case !s.bootstrapped:
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_NOT_BOOTSTRAPPED, Message: "cluster is not bootstrapped"}
	}
	return h, h.Error == nil
}

// failure translates what went wrong while a request was served. A request that
// waited too long for the disk gets no answer.
func (s *Server) failure(err error) *pdpb.Error {
	if errors.Is(err, errNotLeader) {
		leader, _ := s.storage.Leader()
		return notLeader(leader)
	}
	return nil
}

func (s *Server) handleTso(t env.Task, _ env.Addr, req *pdpb.TsoRequest) *pdpb.TsoResponse {
	h, ok := s.header(req.Header)
	resp := &pdpb.TsoResponse{Header: h}
	switch {
	case !ok:
		return resp
	case req.Count == 0 || req.Count > maxTimestamps:
		h.Error = invalid("count of timestamps out of range")
		return resp
	}
	physical, logical, err := s.oracle.take(t, int64(req.Count), saveLimit)
	if err != nil {
		if h.Error = s.failure(err); h.Error == nil {
			return nil
		}
		return resp
	}
	resp.Count = req.Count
	resp.Timestamp = &pdpb.Timestamp{Physical: physical, Logical: logical}
	return resp
}

func (s *Server) handleAllocID(t env.Task, _ env.Addr, req *pdpb.AllocIDRequest) *pdpb.AllocIDResponse {
	h, ok := s.header(req.Header)
	resp := &pdpb.AllocIDResponse{Header: h}
	if !ok {
		return resp
	}
	id, err := s.ids.take(t, 1, saveLimit)
	if err != nil {
		if h.Error = s.failure(err); h.Error == nil {
			return nil
		}
		return resp
	}
	resp.Id = id
	return resp
}

func (s *Server) handleGetMembers(_ env.Addr, _ *pdpb.GetMembersRequest) *pdpb.GetMembersResponse {
	resp := &pdpb.GetMembersResponse{Header: &pdpb.ResponseHeader{ClusterId: s.cfg.ClusterID}}
	leader, _ := s.storage.Leader()
	for i, name := range s.cfg.Members {
		m := &pdpb.Member{Name: name, MemberId: uint64(i + 1), ClientUrls: []string{name}}
		resp.Members = append(resp.Members, m)
		if name == leader {
			resp.Leader = m
		}
	}
	return resp
}

func (s *Server) handlePutStore(t env.Task, _ env.Addr, req *pdpb.PutStoreRequest) *pdpb.PutStoreResponse {
	h, ok := s.header(req.Header)
	resp := &pdpb.PutStoreResponse{Header: h}
	if !ok {
		return resp
	}
	if h.Error = s.stores.admit(req.Store); h.Error != nil {
		return resp
	}
	saved := &env.Future[struct{}]{}
	s.storage.Save([]Record{{storeKey(req.Store.Id), encode(req.Store)}}, func(err error) {
		if err == nil {
			s.stores.put(req.Store)
		}
		saved.Resolve(struct{}{}, err)
	})
	if _, err := saved.Await(t, saveLimit); err != nil {
		if h.Error = s.failure(err); h.Error == nil {
			return nil
		}
	}
	return resp
}

func (s *Server) handleGetStore(_ env.Addr, req *pdpb.GetStoreRequest) *pdpb.GetStoreResponse {
	h, ok := s.header(req.Header)
	resp := &pdpb.GetStoreResponse{Header: h}
	if !ok {
		return resp
	}
	store := s.stores.stores[req.StoreId]
	if store == nil {
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_ENTRY_NOT_FOUND, Message: "store is not registered"}
		return resp
	}
	resp.Store, resp.Stats = store.meta, store.stats
	return resp
}

func (s *Server) handleGetAllStores(_ env.Addr, req *pdpb.GetAllStoresRequest) *pdpb.GetAllStoresResponse {
	h, ok := s.header(req.Header)
	resp := &pdpb.GetAllStoresResponse{Header: h}
	if ok {
		resp.Stores = s.stores.all(!req.ExcludeTombstoneStores)
	}
	return resp
}

func (s *Server) handleStoreHeartbeat(_ env.Addr, req *pdpb.StoreHeartbeatRequest) *pdpb.StoreHeartbeatResponse {
	h, ok := s.header(req.Header)
	if ok {
		h.Error = s.stores.heartbeat(req.Stats, s.env.Clock.Wall().UnixNano())
	}
	return &pdpb.StoreHeartbeatResponse{Header: h}
}

func (s *Server) handleGetRegion(_ env.Addr, req *pdpb.GetRegionRequest) *pdpb.GetRegionResponse {
	h, ok := s.header(req.Header)
	if !ok {
		return &pdpb.GetRegionResponse{Header: h}
	}
	return regionResponse(h, s.regions.get(req.RegionKey))
}

func (s *Server) handleGetRegionByID(_ env.Addr, req *pdpb.GetRegionByIDRequest) *pdpb.GetRegionResponse {
	h, ok := s.header(req.Header)
	if !ok {
		return &pdpb.GetRegionResponse{Header: h}
	}
	return regionResponse(h, s.regions.byID[req.RegionId])
}

func regionResponse(h *pdpb.ResponseHeader, r *regionInfo) *pdpb.GetRegionResponse {
	if r == nil {
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_REGION_NOT_FOUND, Message: "region is not known"}
		return &pdpb.GetRegionResponse{Header: h}
	}
	return &pdpb.GetRegionResponse{Header: h, Region: r.meta, Leader: r.leader}
}

func (s *Server) handleScanRegions(_ env.Addr, req *pdpb.ScanRegionsRequest) *pdpb.ScanRegionsResponse {
	h, ok := s.header(req.Header)
	resp := &pdpb.ScanRegionsResponse{Header: h}
	if !ok {
		return resp
	}
	for _, r := range s.regions.scan(req.StartKey, req.EndKey, int(req.Limit)) {
		resp.Regions = append(resp.Regions, &pdpb.Region{Region: r.meta, Leader: r.leader})
	}
	return resp
}

func (s *Server) handleRegionHeartbeat(_ env.Addr, req *pdpb.RegionHeartbeatRequest) *pdpb.RegionHeartbeatResponse {
	h, ok := s.header(req.Header)
	resp := &pdpb.RegionHeartbeatResponse{
		Header:      h,
		RegionId:    req.Region.GetId(),
		RegionEpoch: req.Region.GetRegionEpoch(),
		TargetPeer:  req.Leader,
	}
	if !ok {
		return resp
	}
	if req.Region.GetId() == 0 || req.Leader.GetId() == 0 {
		h.Error = invalid("heartbeat without region or leader")
		return resp
	}
	if err := s.reportRegion(&regionInfo{meta: req.Region, leader: req.Leader, term: req.Term}); err != nil {
		h.Error = &pdpb.Error{Type: pdpb.ErrorType_UNKNOWN, Message: err.Error()}
	}
	return resp
}

// handleAskBatchSplit hands out the ids of new regions and of their peers, for
// a split that may or may not happen.
func (s *Server) handleAskBatchSplit(t env.Task, _ env.Addr, req *pdpb.AskBatchSplitRequest) *pdpb.AskBatchSplitResponse {
	h, ok := s.header(req.Header)
	resp := &pdpb.AskBatchSplitResponse{Header: h}
	if !ok {
		return resp
	}
	known := s.regions.byID[req.Region.GetId()]
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
	first, err := s.ids.take(t, uint64(req.SplitCount)*(1+peers), saveLimit)
	if err != nil {
		if h.Error = s.failure(err); h.Error == nil {
			return nil
		}
		return resp
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

// handleReportBatchSplit learns of a split before the new regions have elected
// leaders. The leader of the old region is the likely leader of all of them.
func (s *Server) handleReportBatchSplit(_ env.Addr, req *pdpb.ReportBatchSplitRequest) *pdpb.ReportBatchSplitResponse {
	h, ok := s.header(req.Header)
	resp := &pdpb.ReportBatchSplitResponse{Header: h}
	if !ok {
		return resp
	}
	leaderStore := uint64(0)
	for _, meta := range req.Regions {
		if known := s.regions.byID[meta.GetId()]; known != nil && known.leader != nil {
			leaderStore = known.leader.StoreId
		}
	}
	for _, meta := range req.Regions {
		if meta.GetId() == 0 || meta.RegionEpoch == nil {
			h.Error = invalid("region without id or epoch")
			return resp
		}
		r := &regionInfo{meta: meta, leader: peerOn(meta, leaderStore)}
		if known := s.regions.byID[meta.Id]; known != nil && known.version() >= r.version() {
			continue // its leader has reported it already
		}
		if err := s.reportRegion(r); err != nil {
			h.Error = &pdpb.Error{Type: pdpb.ErrorType_UNKNOWN, Message: err.Error()}
		}
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
