package coverage

// promiseLostResponses lists every kind of request that is sent in the scenario, by
// clients to stores and to the placement driver, and by stores to each other and to it: its
// answer has to come too late, it has to be sent again if it is one that is, and what
// was done the first time has to be found by those requests that leave something behind.
func (c *coverage) promiseLostResponses() {
	for _, kind := range []string{
		"KvGet", "KvBatchGet", "KvScan", "KvPrewrite", "KvCommit", "KvBatchRollback", "KvCleanup", "KvCheckTxnStatus", "KvResolveLock",
		"KvTxnHeartBeat", "KvPessimisticLock", "KVPessimisticRollback", "KvCheckSecondaryLocks",
		"KvScanLock", "KvGC", "CloseSafePoint", "SettleSafePoint",
	} {
		c.want(markSeen, "rpc: response to "+kind+" came late", "client: "+kind+" sent again after no answer")
	}
	for _, kind := range []string{
		"PdTso", "PdGetRegion", "PdGetStore", "PdGetAllStores", "PdPutStore", "PdAskBatchSplit",
		"PdGetGCSafePoint", "PdUpdateGCSafePoint", "PdUpdateServiceGCSafePoint",
	} {
		c.want(markSeen, "rpc: response to "+kind+" came late", "placement: "+kind+" sent again after no answer")
	}
	for _, kind := range []string{"DetectDeadlock", "SplitRegion", "PdStoreHeartbeat", "PdRegionHeartbeat"} { // are not repeated
		c.want(markSeen, "rpc: response to "+kind+" came late")
	}
	c.want(markSeen, "client: transaction rolled back by a cleanup of its primary", "client: cleanup found a committed transaction",
		"client: cleanup found a lock at the primary that has not expired")
	// Clients die here, so that a collection comes upon what they leave.
	c.want(markSeen, "client: garbage collection met the lock of an async commit", "client: garbage collection met a pessimistic lock")
	c.want(markSeen, "txn: prewrite found its own lock", "txn: prewrite found itself committed", "txn: prewrite met its own rollback",
		"txn: commit found itself committed", "txn: commit found neither lock nor record", "txn: rollback found itself done",
		"txn: pessimistic lock found itself", "txn: prewrite found its pessimistic lock gone", "txn: prewrite restored a pessimistic lock that was gone",
		"client: async or one-phase commit of unknown outcome", "client: keys of one prewrite found in several regions",
		"client: async-commit transaction found committed by its locks",
		"client: async-commit transaction rolled back, a secondary key had no lock")
}
