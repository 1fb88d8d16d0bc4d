package shrink

import (
	"reflect"
	"time"

	"simrun/sim/plan"
)

// Size is how much a plan holds of what a shrink takes away.
type Size struct {
	Faults, Clients, Stores, Regions, Keys int
	// Operations is the bound of the clients' operations, zero if there is none.
	Operations uint64
	Storm      time.Duration
	// Settings is how many knobs, and properties of network, disks, clocks and the calm, are
	// not as in plan.Default, and how many parameters the workload is given.
	Settings int
}

// SizeOf returns the size of a plan.
func SizeOf(p *plan.Plan) Size {
	return Size{
		Faults: len(p.Faults), Clients: p.Workload.Clients, Stores: p.Cluster.Stores, Regions: len(p.Cluster.SplitKeys) + 1,
		Keys: p.Workload.Keys, Operations: p.Workload.Operations, Storm: time.Duration(p.Phases.Storm),
		Settings: len(unusual(p)) + len(p.Workload.Params),
	}
}

// settings gives knobs, and properties of network, disks and clocks, their usual
// values: chunks of them at first, for most do not matter.
func settings() list {
	return list{
		Count: func(p *plan.Plan) int { return len(unusual(p)) },
		Without: func(p *plan.Plan, from, to int) {
			for _, setting := range unusual(p)[from:to] {
				setting.value.Set(setting.usual)
			}
		},
	}
}

// setting is a field of a plan that does not have its usual value.
type setting struct{ value, usual reflect.Value }

// unusual returns the settings of a plan that are not as in plan.Default, in the order in which they
// are printed. The lengths of the phases are none; see the package.
func unusual(p *plan.Plan) []setting {
	byDefault := plan.Default()
	var found []setting
	if p.Phases.Minority != byDefault.Phases.Minority {
		found = append(found, setting{reflect.ValueOf(&p.Phases.Minority).Elem(), reflect.ValueOf(byDefault.Phases.Minority)})
	}
	for _, table := range [][2]any{
		{&p.Knobs, &byDefault.Knobs},
		{&p.Scheduling, &byDefault.Scheduling},
		{&p.Network, &byDefault.Network},
		{&p.Disk, &byDefault.Disk},
		{&p.Clocks, &byDefault.Clocks},
	} {
		value, usual := reflect.ValueOf(table[0]).Elem(), reflect.ValueOf(table[1]).Elem()
		for i := range value.NumField() {
			if !value.Field(i).Equal(usual.Field(i)) {
				found = append(found, setting{value.Field(i), usual.Field(i)})
			}
		}
	}
	return found
}
