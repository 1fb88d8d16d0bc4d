package trial

import (
	"fmt"

	"simrun/faults"
	"simrun/sim"
)

// Target gives a name to nodes that are known only when a fault comes up, such as the one
// that leads: "kill leader(x)", "pause tail". It is a name of the system's own, or one of the
// late-bound targets of faults; those with a key have it told.
func (t *Trial) Target(name string, nodes func(key string) []string) { t.targets[name] = nodes }

// resolve returns who can say what a target means, nil if nobody can.
func (t *Trial) resolve(target faults.Target) func(key string) []string {
	name := target.Kind.String()
	if target.Kind == faults.TargetNode {
		if name = target.Name; t.World.Node(name) != nil {
			return func(string) []string { return []string{name} }
		}
	}
	if own := t.targets[name]; own != nil {
		return own
	}
	known := map[faults.TargetKind][]string{
		faults.TargetAllClients: t.Plan.ClientNames(),
		faults.TargetAllStores:  t.system.Faults.Stores,
		faults.TargetPlacement:  t.system.Faults.Placement,
	}
	if nodes := known[target.Kind]; len(nodes) > 0 {
		return func(string) []string { return nodes }
	}
	if target.Kind != faults.TargetNode && t.Directory != nil {
		return func(string) []string { return t.Directory.Resolve(target) }
	}
	return nil
}

// checkFaults makes sure that everything in the schedule means something in this world.
func (t *Trial) checkFaults() error {
	_, moves := t.Directory.(sim.LeaderMover)
	_, administers := t.Directory.(sim.Administrator)
	for i, f := range t.Plan.Faults {
		problem := ""
		switch f.Kind { //nolint:exhaustive // the others need nobody
		case faults.TransferLeader:
			if !moves {
				problem = "the system has no sim.LeaderMover that could be asked for that"
			}
		case faults.Split, faults.MergeRegions, faults.AddPeer, faults.RemovePeer, faults.MovePeer,
			faults.Join, faults.Drain, faults.Destroy, faults.Wipe:
			if !administers {
				problem = "the system has no sim.Administrator that could be asked for that"
			}
		}
		for _, targets := range [][]faults.Target{f.Targets, f.Peers} {
			for _, target := range targets {
				if t.resolve(target) == nil {
					problem = fmt.Sprintf("there is no node %v, and the system has no target of that name", target)
				}
			}
		}
		if problem != "" {
			return fmt.Errorf("schedule.faults[%d], %q: %s", i, f.String(), problem)
		}
	}
	return nil
}

// injector resolves targets by what the system says of them.
type injector struct {
	*sim.Injector
	trial *Trial
}

func (t *Trial) injector() injector { return injector{sim.NewInjector(t.World, t.Directory), t} }

// Resolve implements faults.Injector.
func (i injector) Resolve(target faults.Target) []string { return i.trial.resolve(target)(target.Key) }
