package raftstore

import (
	"fmt"

	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"
	"google.golang.org/protobuf/encoding/protowire"

	"simrun/nodes/engine"
)

// command is a decoded raft_cmdpb.RaftCmdRequest, as far as it matters when it
// is applied. Its slices refer to the encoding. Every entry is decoded on every
// replica, so this does without the general decoder, except for the rare
// administrative requests.
type command struct {
	regionID uint64
	epoch    metapb.RegionEpoch
	uuid     []byte
	writes   []write
	admin    *raft_cmdpb.AdminRequest
}

// write is one put, delete or range deletion.
type write struct {
	kind raft_cmdpb.CmdType
	cf   engine.CF
	// key is the key, or the beginning of a range; value the value, or the end of
	// a range.
	key, value []byte
}

// Field numbers of raft_cmdpb.
const (
	cmdHeader   protowire.Number = 1
	cmdRequests protowire.Number = 2
	cmdAdmin    protowire.Number = 3

	headerRegionID protowire.Number = 1
	headerUUID     protowire.Number = 4
	headerEpoch    protowire.Number = 5

	requestType        protowire.Number = 1
	requestPut         protowire.Number = 4
	requestDelete      protowire.Number = 5
	requestDeleteRange protowire.Number = 8

	writeCF    protowire.Number = 1
	writeKey   protowire.Number = 2
	writeValue protowire.Number = 3
)

// decode reads a command; it reuses the space of writes.
func (c *command) decode(buf []byte) error {
	*c = command{writes: c.writes[:0]}
	return eachField(buf, func(f field) error {
		switch f.num {
		case cmdHeader:
			return c.decodeHeader(f.value)
		case cmdRequests:
			return c.decodeRequest(f.value)
		case cmdAdmin:
			c.admin = &raft_cmdpb.AdminRequest{}
			return c.admin.Unmarshal(f.value)
		default:
			return fmt.Errorf("command with field %d", f.num)
		}
	})
}

func (c *command) decodeHeader(buf []byte) error {
	return eachField(buf, func(f field) error {
		switch f.num {
		case headerRegionID:
			c.regionID = f.number
		case headerUUID:
			c.uuid = f.value
		case headerEpoch:
			return c.epoch.Unmarshal(f.value)
		}
		return nil
	})
}

func (c *command) decodeRequest(buf []byte) error {
	var w write
	err := eachField(buf, func(f field) error {
		switch f.num {
		case requestType:
			w.kind = raft_cmdpb.CmdType(f.number) // as the general decoder does
			return nil
		case requestPut, requestDelete, requestDeleteRange:
			return w.decode(f.value)
		default:
			return fmt.Errorf("request with field %d", f.num)
		}
	})
	c.writes = append(c.writes, w)
	return err
}

// decode reads a put, a delete or a range deletion: their fields correspond.
func (w *write) decode(buf []byte) error {
	return eachField(buf, func(f field) error {
		switch f.num {
		case writeCF:
			cf, ok := dataFamily(string(f.value))
			if !ok {
				return fmt.Errorf("write to column family %q", f.value)
			}
			w.cf = cf
		case writeKey:
			w.key = f.value
		case writeValue:
			w.value = f.value
		}
		return nil
	})
}

func eachField(buf []byte, fn func(field) error) error {
	for len(buf) > 0 {
		f, n := consumeField(buf)
		if n < 0 {
			return errMalformed
		}
		if err := fn(f); err != nil {
			return err
		}
		buf = buf[n:]
	}
	return nil
}

// dataFamily returns the column family of that name, if it holds data of
// regions.
func dataFamily(name string) (engine.CF, bool) {
	switch name {
	case "", "default":
		return engine.Default, true
	case "lock":
		return engine.Lock, true
	case "write":
		return engine.Write, true
	default:
		return 0, false
	}
}
