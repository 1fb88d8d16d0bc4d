package raftstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/pingcap/kvproto/pkg/raft_cmdpb"

	"simrun/nodes/engine"
	"simrun/nodes/env"
	"simrun/sim/disk"
)

// TestStories runs the stories in testdata: a cluster is told what to do, and
// shows logs and regions. Rewrite them with -rewrite and read what has changed.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		var c *cluster
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "cluster" {
				c = storyCluster(t, d)
				return "ok\n"
			}
			return storyCommand(c, d)
		})
	})
}

func storyCluster(t *testing.T, d *datadriven.TestData) *cluster {
	var o clusterOptions
	var keys []string
	threshold := 0
	d.MaybeScanArgs(t, "seed", &o.seed)
	d.MaybeScanArgs(t, "threshold", &threshold)
	for _, arg := range d.CmdArgs {
		if arg.Key == "split" {
			keys = arg.Vals
		}
	}
	o.regions = testRegions(3, keys...)
	o.raft.LogGCThreshold = uint64(threshold)
	return newCluster(t, o)
}

func storyCommand(c *cluster, d *datadriven.TestData) string {
	switch d.Cmd {
	case "run": // for=DURATION
		text := ""
		d.ScanArgs(c.t.(*testing.T), "for", &text)
		duration, err := time.ParseDuration(text)
		if err != nil {
			return err.Error()
		}
		c.run(duration)
		return "ok\n"
	case "write": // one entry: put KEY VALUE, delete KEY, delete-range START END
		return storyWrite(c, d.Input)
	case "split":
		out := ""
		c.do(func(t env.Task) {
			for _, part := range c.split(t, strings.Fields(d.Input)...) {
				out += fmt.Sprintf("%d [%q, %q) version %d\n", part.Id, part.StartKey, part.EndKey, part.RegionEpoch.Version)
			}
		})
		return out
	case "crash", "start", "log", "regions", "disk", "data":
		return storyStore(c, d)
	case "transfer": // key=KEY to=STORE
		return storyTransfer(c, d)
	case "converge":
		c.converged()
		return "ok\n"
	default:
		return "unknown command " + d.Cmd
	}
}

// storyStore carries out a command about one store, store=N.
func storyStore(c *cluster, d *datadriven.TestData) string {
	id, region := 0, uint64(1)
	t := c.t.(*testing.T)
	d.ScanArgs(t, "store", &id)
	d.MaybeScanArgs(t, "region", &region)
	s := c.stores[id-1]
	switch d.Cmd {
	case "crash":
		return fmt.Sprintln(s.node.Crash(disk.PowerLoss))
	case "start":
		return fmt.Sprintln(s.node.Start())
	case "log":
		lines, err := s.DumpLog(region)
		if err != nil {
			return err.Error()
		}
		return strings.Join(append(lines, ""), "\n")
	case "regions":
		out := ""
		for _, r := range s.Regions() {
			out += r.String() + "\n"
		}
		return out
	case "disk":
		lines, err := DumpRegions(s.eng)
		if err != nil {
			return err.Error()
		}
		return strings.Join(append(lines, ""), "\n")
	default:
		return dumpData(t, s.eng)
	}
}

func storyTransfer(c *cluster, d *datadriven.TestData) string {
	key, to := "", uint64(0)
	d.ScanArgs(c.t.(*testing.T), "key", &key)
	d.ScanArgs(c.t.(*testing.T), "to", &to)
	s := c.waitLeader(key)
	region, _ := s.RegionOf([]byte(key))
	if e := s.TransferLeader(region.Id, peerOnStore(region, to).Id); e != nil {
		return e.Message
	}
	c.until("transfer", func() bool { leader := c.leaderOf(key); return leader != nil && leader.id == to })
	c.run(100 * time.Millisecond)
	return "ok\n"
}

// storyWrite proposes the lines of input as one entry.
func storyWrite(c *cluster, input string) string {
	var reqs []*raft_cmdpb.Request
	key := ""
	for line := range strings.Lines(input) {
		f := append(strings.Fields(line), "", "")
		key = f[1]
		switch f[0] {
		case "put":
			reqs = append(reqs, putRequest(f[1], f[2]))
		case "delete":
			reqs = append(reqs, &raft_cmdpb.Request{
				CmdType: raft_cmdpb.CmdType_Delete, Delete: &raft_cmdpb.DeleteRequest{Cf: engine.Default.String(), Key: []byte(f[1])},
			})
		case "delete-range":
			reqs = append(reqs, &raft_cmdpb.Request{
				CmdType:     raft_cmdpb.CmdType_DeleteRange,
				DeleteRange: &raft_cmdpb.DeleteRangeRequest{Cf: "write", StartKey: []byte(f[1]), EndKey: []byte(f[2])},
			})
		default:
			return "unknown write " + line
		}
	}
	s := c.waitLeader(key)
	out := "ok\n"
	c.do(func(t env.Task) {
		regionErr, err := s.Propose(t, s.context(key), 0, reqs, time.Second)
		if regionErr != nil {
			out = regionErr.Message + "\n"
		}
		if err != nil {
			out = err.Error() + "\n"
		}
	})
	return out
}
