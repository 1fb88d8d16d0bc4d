package scenarios

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"simrun/sim/plan"
)

// checkValues makes sure that each value that the cluster, the knobs and the scheduling
// list is one that a plan can have: it would else be told by the seeds that draw it, and by
// those only. The method: all but one value of a list are left out, and the plan of
// a seed, without faults, is checked. What is wrong with that seed's plan anyway,
// in another field, is not the value's fault.
func (s *Scenario) checkValues() error {
	if err := s.checkRanges(); err != nil {
		return err
	}
	anyway := s.invalid()
	for _, table := range []struct {
		name   string
		fields any
	}{{"cluster", &s.Cluster}, {"knobs", &s.Knobs}, {"scheduling", &s.Scheduling}} {
		for _, name := range plan.FieldNames(reflect.TypeOf(table.fields).Elem()) {
			list := plan.Field(table.fields, name)
			if list.Kind() != reflect.Slice {
				continue
			}
			all := reflect.ValueOf(list.Interface()) // list itself changes
			for i := range all.Len() {
				list.Set(all.Slice(i, i+1))
				err := s.invalid()
				list.Set(all)
				if err != nil && (anyway == nil || isOf(name, err)) {
					return valueError(name, fmt.Sprintf("%s.%s[%d]", table.name, name, i), err)
				}
			}
		}
	}
	return nil
}

// checkRanges does the same for both ends of the ranges; all that lies between
// them is possible too. A plan with nothing else from the scenario is what is checked: with
// too many keys there would be no end to a plan of the scenario.
func (s *Scenario) checkRanges() error {
	for _, f := range []struct {
		name string
		r    Range
		set  func(w *plan.Workload, n int)
	}{
		{"clients", s.Workload.Clients, func(w *plan.Workload, n int) { w.Clients = n }},
		{"rate", s.Workload.Rate, func(w *plan.Workload, n int) { w.Rate = n }},
		{"keys", s.Workload.Keys, func(w *plan.Workload, n int) { w.Keys = n }},
	} {
		for _, end := range []struct {
			name string
			n    int
		}{{"min", f.r.Min}, {"max", f.r.Max}} {
			p := plan.Default()
			f.set(&p.Workload, end.n)
			if err := p.Validate(); err != nil {
				return valueError(f.name, fmt.Sprintf("workload.%s.%s", f.name, end.name), err)
			}
		}
	}
	return s.checkRegions()
}

// checkRegions refuses more regions than a seed with the most keys can have. A seed that draws
// fewer keys than regions has as many regions as keys.
func (s *Scenario) checkRegions() error {
	if s.Cluster.API == plan.Raft || s.Cluster.Regions.Max <= s.Workload.Keys.Max {
		return nil // there is one, or there are keys enough
	}
	p := plan.Default()
	p.Workload.Name, p.Workload.Keys, p.Workload.Params, p.Workload.SQL = s.Workload.Name, s.Workload.Keys.Max, s.Workload.Params, s.Workload.SQL
	most := len(s.keys(&p))
	for _, end := range []struct {
		name string
		n    int
	}{{"min", s.Cluster.Regions.Min}, {"max", s.Cluster.Regions.Max}} {
		if end.n > most {
			return plan.Errorf("cluster.regions."+end.name, "is %d, but regions begin at keys of the workload, of which there are at most %d: write 1 to %d, or more for workload.keys.max", end.n, most, most)
		}
	}
	return nil
}

// invalid says what is wrong with the plan of a seed, apart from its faults.
func (s *Scenario) invalid() error {
	p := plan.Default()
	p.Scenario = s.Name
	g := generator{1}
	s.shape(&p, g)
	if len(s.Cluster.Replicas) == 1 && p.Cluster.API != plan.Raft {
		p.Cluster.Replicas = s.Cluster.Replicas[0] // also where the seed has fewer stores
		p.Cluster.Stores = max(p.Cluster.Stores, p.Cluster.Replicas)
	}
	s.tune(&p, g)
	s.schedule(&p.Scheduling, g)
	p.Knobs.LeaderLease = false // whose bound follows from the faults
	return p.Validate()
}

// isOf reports whether a plan's error is one of the field that a list is drawn for:
// it has the list's name in some table.
func isOf(list string, err error) bool {
	var wrong *plan.Error
	return errors.As(err, &wrong) && wrong.Field[strings.LastIndex(wrong.Field, ".")+1:] == list
}

// valueError is an error of a plan as one of the value in the scenario that it came
// from.
func valueError(list, field string, err error) error {
	var wrong *plan.Error
	if errors.As(err, &wrong) && isOf(list, err) {
		return &plan.Error{Field: field, Message: wrong.Message}
	}
	return &plan.Error{Field: field, Message: ": " + err.Error()}
}
