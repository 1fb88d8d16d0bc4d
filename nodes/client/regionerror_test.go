package client

import (
	"reflect"
	"testing"

	"github.com/pingcap/kvproto/pkg/errorpb"
	"github.com/pingcap/kvproto/pkg/metapb"
)

// zeroRegionErrors returns for each field of errorpb.Error an error in which
// nothing else is set, by the field's name. A field that a later protocol adds
// appears here by itself.
func zeroRegionErrors() map[string]*errorpb.Error {
	all := map[string]*errorpb.Error{}
	typ := reflect.TypeFor[errorpb.Error]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Type.Kind() != reflect.Pointer {
			continue // Message and the generated fields
		}
		e := &errorpb.Error{}
		reflect.ValueOf(e).Elem().Field(i).Set(reflect.New(f.Type.Elem()))
		all[f.Name] = e
	}
	return all
}

// TestRegionErrorsComplete makes sure that each field of errorpb.Error has a
// handler of its own under its own name, which works on an error without details.
func TestRegionErrorsComplete(t *testing.T) {
	all := zeroRegionErrors()
	if len(all) != int(regionUnrecognised) {
		t.Errorf("errorpb.Error has %d kinds of errors, the table %d", len(all), regionUnrecognised)
	}
	c := newCluster(t, 1, Config{}, true)
	for name, e := range all {
		kind := kindOf(e)
		if kind.String() != name {
			t.Errorf("error %s is handled as %s", name, kind)
		}
		r := &region{meta: c.regions[0].meta}
		v := c.client.regionError(r, r.peer(), e)
		if v.fate != rejected {
			t.Errorf("error %s does not prove that the request was not executed", name)
		}
		if v.err == nil || v.lesson.why >= numCauses {
			t.Errorf("error %s teaches nothing: %+v", name, v)
		}
	}
	r := &region{meta: c.regions[0].meta}
	if v := c.client.regionError(r, r.peer(), &errorpb.Error{Message: "timeout"}); v.fate != lost {
		t.Errorf("an error without a kind is taken for a proof: %+v", v)
	}
}

// TestCausesComplete makes sure that each cause of a retry has its backoff.
func TestCausesComplete(t *testing.T) {
	for why := range numCauses {
		if b := backoffs[why]; b.name == "" || b.base <= 0 || b.limit < b.base {
			t.Errorf("cause %d has backoff %+v", why, b)
		}
	}
}

// TestRegionErrorLessons checks what the caches are after each error that
// corrects them.
func TestRegionErrorLessons(t *testing.T) {
	peers := []*metapb.Peer{{Id: 11, StoreId: 1}, {Id: 12, StoreId: 2}, {Id: 13, StoreId: 3}}
	learner := &metapb.Peer{Id: 14, StoreId: 4, Role: metapb.PeerRole_Learner}
	meta := func(id uint64, start, end string, version, confVer uint64) *metapb.Region {
		return &metapb.Region{
			Id: id, StartKey: []byte(start), EndKey: []byte(end), Peers: append(peers[:3:3], learner),
			RegionEpoch: &metapb.RegionEpoch{Version: version, ConfVer: confVer},
		}
	}
	for _, tc := range []struct {
		name string
		err  *errorpb.Error
		// What is expected: the cached regions by id, and the store that is asked
		// next for key "b".
		regions []uint64
		next    uint64
	}{
		{"leader named", &errorpb.Error{NotLeader: &errorpb.NotLeader{Leader: peers[2]}}, []uint64{1}, 3},
		{"no leader named", &errorpb.Error{NotLeader: &errorpb.NotLeader{}}, []uint64{1}, 2},
		{"unknown leader named", &errorpb.Error{NotLeader: &errorpb.NotLeader{Leader: &metapb.Peer{Id: 99, StoreId: 3}}}, nil, 0},
		{"split", &errorpb.Error{EpochNotMatch: &errorpb.EpochNotMatch{CurrentRegions: []*metapb.Region{
			meta(1, "", "b", 2, 1), meta(2, "b", "", 2, 1),
		}}}, []uint64{1, 2}, 1},
		{"epoch without regions", &errorpb.Error{EpochNotMatch: &errorpb.EpochNotMatch{}}, nil, 0},
		{"peer behind", &errorpb.Error{EpochNotMatch: &errorpb.EpochNotMatch{CurrentRegions: []*metapb.Region{
			meta(1, "", "", 0, 1),
		}}}, []uint64{1}, 2},
		{"region gone", &errorpb.Error{RegionNotFound: &errorpb.RegionNotFound{}}, nil, 0},
		{"busy", &errorpb.Error{ServerIsBusy: &errorpb.ServerIsBusy{}}, []uint64{1}, 1},
		{"witness", &errorpb.Error{IsWitness: &errorpb.IsWitness{}}, []uint64{1}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t, 1, Config{}, true).client
			r := &region{meta: meta(1, "", "", 1, 1)}
			c.regions.insert(r)
			c.regionError(r, r.peer(), tc.err)
			var got []uint64
			for _, r := range c.regions.sorted {
				got = append(got, r.meta.Id)
			}
			if !reflect.DeepEqual(got, tc.regions) {
				t.Errorf("cached regions %v, want %v", got, tc.regions)
			}
			if r := c.regions.find([]byte("b")); tc.next != 0 && r.peer().StoreId != tc.next {
				t.Errorf("asks store %d next, want %d", r.peer().StoreId, tc.next)
			}
		})
	}
}
