package reports

import "strconv"

// programTable is how the programs of a workload ended, if it has any.
func programTable(programs []ProgramCount) []pageTable {
	if len(programs) == 0 {
		return nil
	}
	t := pageTable{Title: "Programs", Head: []string{"", "ok", "failed", "unknown"}}
	for _, c := range programs {
		t.Rows = append(t.Rows, []string{c.Name, grouped(c.OK), grouped(c.Failed), grouped(c.Unknown)})
	}
	return []pageTable{t}
}

// faultTables are what stood in the schedule: the faults, and what an administrator asked
// for, if anything. Of a run that was cut off only the schedule is known.
func faultTables(counts []FaultCount, cut bool) []pageTable {
	head := []string{"", "scheduled", "came up", "took effect"}
	if cut {
		head = head[:2]
	}
	faults, asked := pageTable{Title: "Faults", Head: head}, pageTable{Title: "Asked for", Head: head}
	for _, c := range counts {
		t := &faults
		if c.administrative() {
			t = &asked
		}
		row := []string{c.Kind, strconv.Itoa(c.Scheduled), strconv.Itoa(c.Armed), strconv.Itoa(c.Effective)}
		t.Rows = append(t.Rows, row[:len(head)])
	}
	if len(asked.Rows) == 0 {
		return []pageTable{faults}
	}
	return []pageTable{faults, asked}
}

// commitTable is how transactions were committed, if any were.
func commitTable(c *CommitStats) []pageTable {
	if c.TwoPhase.Transactions+c.Async.Transactions+c.OnePhase.Transactions == 0 {
		return nil
	}
	t := pageTable{Title: "Commits", Head: []string{"", "transactions", "rounds"}}
	for _, m := range []struct {
		name string
		n    CommitMode
	}{{"in two phases", c.TwoPhase}, {"asynchronous", c.Async}, {"in one phase", c.OnePhase}} {
		t.Rows = append(t.Rows, []string{m.name, grouped(m.n.Transactions), grouped(m.n.Rounds)})
	}
	return []pageTable{t}
}

// operatorTable is what the placement driver has had done, if anything.
func operatorTable(operators []OperatorCount) []pageTable {
	if len(operators) == 0 {
		return nil
	}
	t := pageTable{Title: "Operators", Head: []string{"", "begun", "finished", "timed out", "cancelled", "lost with a leader"}}
	for _, c := range operators {
		t.Rows = append(t.Rows, []string{
			c.Kind, grouped(c.Begun), grouped(c.Finished), grouped(c.TimedOut), grouped(c.Cancelled), grouped(c.Abandoned),
		})
	}
	return []pageTable{t}
}

func engineTable(engines []EngineStats) pageTable {
	t := pageTable{Title: "Engines", Wide: true, Head: []string{
		"", "flushes", "compactions", "below level 0", "levels", "slowdowns", "stops", "slowed", "stopped",
	}}
	for i := range engines {
		e := &engines[i]
		t.Rows = append(t.Rows, []string{
			e.Node, grouped(e.Flushes), grouped(e.Compactions), grouped(e.Lower), strconv.Itoa(e.Levels),
			grouped(e.Slowdowns), grouped(e.Stops), seconds(int64(e.Slowed)), seconds(int64(e.Stopped)),
		})
	}
	return t
}

func backlogTable(backlogs []BacklogStats) pageTable {
	t := pageTable{Title: "Backlogs", Head: []string{"", "bytes to be durable, at most", "bytes to be applied, at most"}}
	for _, b := range backlogs {
		t.Rows = append(t.Rows, []string{b.Node, grouped(b.Append), grouped(b.Apply)})
	}
	return t
}
