package placement

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/pingcap/kvproto/pkg/metapb"
	"pgregory.net/rapid"
)

// TestRegionDirectory plays the stories of testdata/regions. The commands are
//
//	heartbeat ID START END VERSION.CONFVER [term=N] [leader=STORE]   "-" is an open end
//	get KEY...
//
// and each heartbeat is answered by the regions that are known afterwards.
func TestRegionDirectory(t *testing.T) {
	datadriven.Walk(t, "testdata/regions", func(t *testing.T, path string) {
		d := newRegionDirectory()
		datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
			switch td.Cmd {
			case "heartbeat":
				var out strings.Builder
				for line := range strings.Lines(td.Input) {
					if err := heartbeat(d, line); err != nil {
						fmt.Fprintln(&out, err)
					}
				}
				return out.String() + list(d.byStart)
			case "get":
				var out strings.Builder
				for _, arg := range td.CmdArgs {
					if r := d.get([]byte(arg.Key)); r == nil {
						fmt.Fprintf(&out, "%s: -\n", arg.Key)
					} else {
						fmt.Fprintf(&out, "%s: region %d\n", arg.Key, r.meta.Id)
					}
				}
				return out.String()
			default:
				t.Fatalf("%s: unknown command %q", td.Pos, td.Cmd)
				return ""
			}
		})
	})
}

// heartbeat takes up a region if it is not stale.
func heartbeat(d *regionDirectory, line string) error {
	f := strings.Fields(line)
	r := &regionInfo{meta: &metapb.Region{RegionEpoch: &metapb.RegionEpoch{}}}
	open := func(key string) []byte { return []byte(strings.TrimSuffix(key, "-")) }
	r.meta.StartKey, r.meta.EndKey = open(f[1]), open(f[2])
	if _, err := fmt.Sscanf(f[0]+" "+f[3], "%d %d.%d", &r.meta.Id, &r.meta.RegionEpoch.Version, &r.meta.RegionEpoch.ConfVer); err != nil {
		return err
	}
	for _, arg := range f[4:] {
		name, value, _ := strings.Cut(arg, "=")
		var n uint64
		if _, err := fmt.Sscan(value, &n); err != nil {
			return err
		}
		if name == "term" {
			r.term = n
		} else {
			r.leader = &metapb.Peer{Id: n, StoreId: n}
		}
	}
	if err := d.check(r); err != nil {
		return err
	}
	d.put(r)
	return nil
}

func list(regions []*regionInfo) string {
	var out strings.Builder
	for _, r := range regions {
		out.WriteString(describe(r.meta))
		if r.leader != nil {
			fmt.Fprintf(&out, " leader=%d", r.leader.StoreId)
		}
		if r.term != 0 {
			fmt.Fprintf(&out, " term=%d", r.term)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// history is the true course of a cluster: it splits and merges regions and
// changes their peers, and remembers every state of every region.
type history struct {
	now    []*metapb.Region // by key
	past   []*metapb.Region
	nextID uint64
}

func newHistory() *history {
	h := &history{nextID: 2}
	h.now = []*metapb.Region{{Id: 1, RegionEpoch: &metapb.RegionEpoch{Version: 1, ConfVer: 1}}}
	h.past = slices.Clone(h.now)
	return h
}

// change replaces n regions from i on.
func (h *history) change(i, n int, by ...*metapb.Region) {
	h.now = slices.Replace(h.now, i, i+n, by...)
	h.past = append(h.past, by...)
}

func (h *history) split(i int, key string) {
	r := h.now[i]
	if key <= string(r.StartKey) || len(r.EndKey) > 0 && key >= string(r.EndKey) {
		return
	}
	epoch := &metapb.RegionEpoch{Version: r.RegionEpoch.Version + 1, ConfVer: r.RegionEpoch.ConfVer}
	h.change(i, 1,
		&metapb.Region{Id: h.nextID, StartKey: r.StartKey, EndKey: []byte(key), RegionEpoch: epoch},
		&metapb.Region{Id: r.Id, StartKey: []byte(key), EndKey: r.EndKey, RegionEpoch: epoch})
	h.nextID++
}

// merge merges region i with the next; either may be the one that remains.
func (h *history) merge(i int, intoNext bool) {
	if i+1 == len(h.now) {
		return
	}
	left, right := h.now[i], h.now[i+1]
	target := left
	if intoNext {
		target = right
	}
	h.change(i, 2, &metapb.Region{
		Id: target.Id, StartKey: left.StartKey, EndKey: right.EndKey,
		RegionEpoch: &metapb.RegionEpoch{
			Version: max(left.RegionEpoch.Version, right.RegionEpoch.Version) + 1,
			ConfVer: target.RegionEpoch.ConfVer,
		},
	})
}

func (h *history) changePeers(i int) {
	r := h.now[i]
	h.change(i, 1, &metapb.Region{
		Id: r.Id, StartKey: r.StartKey, EndKey: r.EndKey,
		RegionEpoch: &metapb.RegionEpoch{Version: r.RegionEpoch.Version, ConfVer: r.RegionEpoch.ConfVer + 1},
	})
}

// TestStaleHeartbeats delivers the heartbeats of a cluster that splits and
// merges in any order, some twice and some never. The regions that are known
// never overlap (the directory checks that), what is known of a key never goes
// back, whatever gaps there are, and once each region has been reported as it is
// now, they are the truth and stay it.
func TestStaleHeartbeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory()
		for range rapid.IntRange(0, 30).Draw(t, "changes") {
			i := rapid.IntRange(0, len(h.now)-1).Draw(t, "region")
			switch rapid.IntRange(0, 4).Draw(t, "change") {
			case 0:
				h.merge(i, rapid.Bool().Draw(t, "into next"))
			case 1:
				h.changePeers(i)
			default:
				h.split(i, rapid.StringMatching("[a-d]{1,2}").Draw(t, "key"))
			}
		}
		d := newRegionDirectory()
		newest := map[string]uint64{} // version by key
		report := func(meta *metapb.Region) {
			r := &regionInfo{meta: meta}
			if d.check(r) == nil {
				d.put(r)
			}
			for _, key := range []string{"", "a", "aa", "ac", "b", "bd", "c", "cb", "d", "dd", "e"} {
				if r := d.get([]byte(key)); r != nil && r.version() < newest[key] {
					t.Fatalf("%q is known of %s, and was of version %d", key, describe(r.meta), newest[key])
				} else if r != nil {
					newest[key] = r.version()
				}
			}
			checkGaps(t, d)
		}
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		for range 2 * len(h.past) {
			report(h.past[shuffle.IntN(len(h.past))])
		}
		for _, i := range shuffle.Perm(len(h.now)) {
			report(h.now[i])
		}
		for range 2 * len(h.past) {
			report(h.past[shuffle.IntN(len(h.past))]) // too late to change anything
		}
		var known []*metapb.Region
		for _, r := range d.byStart {
			known = append(known, r.meta)
		}
		if !slices.Equal(known, h.now) {
			t.Fatalf("known are\n%vthe truth is\n%v", list(d.byStart), h.now)
		}
		for _, r := range h.now {
			if got := d.get(r.StartKey); got == nil || got.meta != r {
				t.Fatalf("%q: %v, want %v", r.StartKey, got, r)
			}
		}
	})
}

// checkGaps checks that gaps overlap neither regions nor each other.
func checkGaps(t *rapid.T, d *regionDirectory) {
	for i, g := range d.gaps {
		if !before(g.start, g.end) {
			t.Fatalf("gap %v is empty", g)
		}
		for _, other := range d.gaps[:i] {
			if before(g.start, other.end) && before(other.start, g.end) {
				t.Fatalf("gaps %v and %v overlap", g, other)
			}
		}
		if over := d.overlapping(&regionInfo{meta: g.region()}); len(over) > 0 {
			t.Fatalf("gap %v overlaps %s", g, describe(over[0].meta))
		}
	}
}
