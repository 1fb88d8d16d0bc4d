package raftstore

import "encoding/binary"

// Keys of the local records, in the layout of TiKV. All are in the column
// family Raft.
//
//	key-value database
//	  01 01                      StoreIdent
//	  01 02 <region> 03          RaftApplyState
//	  01 02 <region> 04          RaftLocalState as of the last snapshot
//	  01 03 <region> 01          RegionLocalState
//	  01 04                      safe points (package nodes)
//	raft log database
//	  01 02 <region> 01 <index>  Entry
//	  01 02 <region> 02          RaftLocalState
//
// Numbers are big-endian, so that entries are in order.
const (
	localPrefix  = 0x01
	identTag     = 0x01
	raftTag      = 0x02
	regionTag    = 0x03
	logSuffix    = 0x01
	hardSuffix   = 0x02
	applySuffix  = 0x03
	snapSuffix   = 0x04
	regionSuffix = 0x01
)

func identKey() []byte { return []byte{localPrefix, identTag} }

func localKey(buf []byte, tag byte, region uint64, suffix byte) []byte {
	buf = append(buf, localPrefix, tag)
	buf = binary.BigEndian.AppendUint64(buf, region)
	return append(buf, suffix)
}

func hardStateKey(buf []byte, region uint64) []byte {
	return localKey(buf, raftTag, region, hardSuffix)
}

func applyStateKey(buf []byte, region uint64) []byte {
	return localKey(buf, raftTag, region, applySuffix)
}

func snapStateKey(region uint64) []byte {
	return localKey(nil, raftTag, region, snapSuffix)
}

func regionStateKey(region uint64) []byte {
	return localKey(nil, regionTag, region, regionSuffix)
}

func logKey(buf []byte, region, index uint64) []byte {
	return binary.BigEndian.AppendUint64(localKey(buf, raftTag, region, logSuffix), index)
}

// logIndex returns the index of the entry at a key made by logKey.
func logIndex(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
