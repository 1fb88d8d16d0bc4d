package rpc

import "slices"

// Method names a service of a node.
type Method uint8

// The methods of stores (Kv, Raw, Raft) and of the placement driver (Pd). A number
// stands for one method for good: that of a method which is gone is not given again,
// and whoever comes late with it is not mistaken for somebody else.
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
	_
	ChangePeers
	MergeRegion
	PdTso
	PdAllocID
	PdGetRegion
	PdGetRegionByID
	_
	PdGetStore
	PdGetAllStores
	PdPutStore
	PdStoreHeartbeat
	PdRegionHeartbeat
	PdAskBatchSplit
	_
	_
	PdGetGCSafePoint
	PdUpdateGCSafePoint
	PdUpdateServiceGCSafePoint
	ReportRegion
	numMethods
)

// methodNames has an empty name in the place of a method that is gone.
var methodNames = [numMethods]string{ //nolint:gochecknoglobals // a constant table
	"Raft", "RaftSnapshot",
	"KvGet", "KvBatchGet", "KvScan", "KvPrewrite", "KvCommit", "KvBatchRollback", "KvCleanup",
	"KvCheckTxnStatus", "KvResolveLock", "KvTxnHeartBeat", "KvScanLock",
	"KvPessimisticLock", "KVPessimisticRollback", "KvCheckSecondaryLocks", "DetectDeadlock",
	"KvGC", "KvDeleteRange", "CloseSafePoint", "SettleSafePoint",
	"RawGet", "RawBatchGet", "RawPut", "RawBatchPut", "RawDelete", "RawBatchDelete", "RawScan", "RawCompareAndSwap",
	"SplitRegion", "", "ChangePeers", "MergeRegion",
	"PdTso", "PdAllocID", "PdGetRegion", "PdGetRegionByID", "", "PdGetStore", "PdGetAllStores",
	"PdPutStore", "PdStoreHeartbeat", "PdRegionHeartbeat", "PdAskBatchSplit", "", "",
	"PdGetGCSafePoint", "PdUpdateGCSafePoint", "PdUpdateServiceGCSafePoint", "ReportRegion",
}

func (m Method) String() string {
	if m.known() {
		return methodNames[m]
	}
	return "unknown method"
}

// known reports whether there is such a method.
func (m Method) known() bool { return m < numMethods && methodNames[m] != "" }

// KnownMethod reports whether there is a method of that name.
func KnownMethod(name string) bool { return name != "" && slices.Contains(methodNames[:], name) }

// KindOf names the method of a datagram, of which it is the request, the response
// or a one-way message.
func KindOf(datagram []byte) string {
	if len(datagram) < 2 {
		return ""
	}
	return Method(datagram[1]).String()
}
