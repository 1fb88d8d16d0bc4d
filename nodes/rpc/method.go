package rpc

import "slices"

// Method names a service of a node.
type Method uint8

// The methods of stores (Kv, Raw, Raft) and of the placement driver (Pd).
const (
	Raft Method = iota
	RaftSnapshot
	KvGet
	KvBatchGet
	KvScan
	KvPrewrite
	KvCommit
	KvBatchRollback
	KvCleanup
	KvCheckTxnStatus
	KvResolveLock
	KvTxnHeartBeat
	KvScanLock
	KvPessimisticLock
	KVPessimisticRollback
	KvCheckSecondaryLocks
	DetectDeadlock
	KvGC
	KvDeleteRange
	CloseSafePoint
	SettleSafePoint
	RawGet
	RawBatchGet
	RawPut
	RawBatchPut
	RawDelete
	RawBatchDelete
	RawScan
	RawCompareAndSwap
	SplitRegion
	TransferLeader
	ChangePeers
	MergeRegion
	PdTso
	PdAllocID
	PdGetRegion
	PdGetRegionByID
	PdScanRegions
	PdGetStore
	PdGetAllStores
	PdPutStore
	PdStoreHeartbeat
	PdRegionHeartbeat
	PdAskBatchSplit
	PdReportBatchSplit
	PdGetMembers
	PdGetGCSafePoint
	PdUpdateGCSafePoint
	PdUpdateServiceGCSafePoint
	numMethods
)

var methodNames = [numMethods]string{ //nolint:gochecknoglobals // a constant table
	"Raft", "RaftSnapshot",
	"KvGet", "KvBatchGet", "KvScan", "KvPrewrite", "KvCommit", "KvBatchRollback", "KvCleanup",
	"KvCheckTxnStatus", "KvResolveLock", "KvTxnHeartBeat", "KvScanLock",
	"KvPessimisticLock", "KVPessimisticRollback", "KvCheckSecondaryLocks", "DetectDeadlock",
	"KvGC", "KvDeleteRange", "CloseSafePoint", "SettleSafePoint",
	"RawGet", "RawBatchGet", "RawPut", "RawBatchPut", "RawDelete", "RawBatchDelete", "RawScan", "RawCompareAndSwap",
	"SplitRegion", "TransferLeader", "ChangePeers", "MergeRegion",
	"PdTso", "PdAllocID", "PdGetRegion", "PdGetRegionByID", "PdScanRegions", "PdGetStore", "PdGetAllStores",
	"PdPutStore", "PdStoreHeartbeat", "PdRegionHeartbeat", "PdAskBatchSplit", "PdReportBatchSplit", "PdGetMembers",
	"PdGetGCSafePoint", "PdUpdateGCSafePoint", "PdUpdateServiceGCSafePoint",
}

func (m Method) String() string {
	if m < numMethods {
		return methodNames[m]
	}
	return "unknown method"
}

// KnownMethod reports whether there is a method of that name.
func KnownMethod(name string) bool { return slices.Contains(methodNames[:], name) }

// KindOf names the method of a datagram, of which it is the request, the response
// or a one-way message.
func KindOf(datagram []byte) string {
	if len(datagram) < 2 {
		return ""
	}
	return Method(datagram[1]).String()
}
