package rpc

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
