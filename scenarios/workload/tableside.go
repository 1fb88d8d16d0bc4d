package workload

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/table"
	"simrun/sim/plan"
	"simrun/sim/stream"
)

// Side tables come and go: somebody makes one, some write a few rows, some read
// them for so long that others drop the table meanwhile, and the next one of that
// name has another id. Few write them, so that what was dropped was often not
// written for as long as versions are kept, and nothing but the order of events
// protects it.

// sideTables is how many there are at a time, sideRows how many rows each has at
// most, sideLinger for how long a transaction reads it at most.
const (
	sideTables = 2
	sideRows   = 12
	sideLinger = 1500 * time.Millisecond
)

func sideName(n int) string { return fmt.Sprintf("side%d", n) }

// sideDefinition returns what a side table is to be.
func sideDefinition(name string) table.Definition {
	return table.Definition{
		Name: name,
		Columns: []table.Column{
			{Name: "id", Type: table.BigInt, NotNull: true},
			{Name: "code", Type: table.BigInt, NotNull: true},
		},
		Primary: []string{"id"},
		Indexes: []table.IndexDefinition{{Name: "code", Columns: []string{"code"}}},
	}
}

// sidePlaces appends keys in the middle of what may be dropped, in their order: of
// the first indexes of the table that are added, if indexes is true, or else of the
// first side tables.
func sidePlaces(places []string, keys int, indexes bool) []string {
	if indexes {
		for id := int64(3); id <= 5; id++ {
			key := codec.AppendDatum(codec.IndexPrefix(itemsID, id), codec.Int(int64(keys)))
			places = append(places, plan.HexKey(key))
		}
		return places
	}
	for id := int64(itemsID + 1); id <= 8; id++ {
		places = append(places, plan.HexKey(codec.RowKey(id, sideRows/2)))
	}
	return places
}

// sideStep does one thing to a side table. One that is not there is made.
func (w *tables) sideStep(t env.Task, s *Session, r *stream.Stream) {
	name, db := sideName(r.IntN(sideTables)), w.clients.database(s)
	drops, lingers := r.PerMille(150), r.PerMille(350)
	if drops {
		_ = db.DropTable(t, name, jobLimit)
		return
	}
	err := w.transactionOn(t, s, name, func(x *tableTx) error {
		if lingers {
			return x.sideRead(r)
		}
		return x.sideWrite(r)
	})
	if errors.Is(err, table.ErrSchema) {
		_ = db.CreateTable(t, sideDefinition(name))
	}
}

// sideRead reads the table twice, with a pause in between: the answers are of one
// snapshot.
func (x *tableTx) sideRead(r *stream.Stream) error {
	before, err := x.Scan(x.t, x.tb, table.Scan{})
	if err != nil {
		return err
	}
	x.t.Sleep(time.Duration(r.Int64N(int64(sideLinger))))
	after, err := x.Scan(x.t, x.tb, table.Scan{})
	if err != nil {
		return err
	}
	x.compare(fmt.Sprintf("table %s, read again,", x.tb.Name), after, before)
	x.record.Compared++
	return x.Check(x.t, x.tb)
}

// sideWrite inserts some rows, and removes some that are there.
func (x *tableTx) sideWrite(r *stream.Stream) error {
	first, n, code := 1+r.Int64N(sideRows), 1+r.Int64N(sideRows/2), codec.Int(r.Int64N(1000))
	return x.Do(x.t, func(st *table.Statement) error {
		records, err := st.Scan(x.t, x.tb, table.Scan{})
		if err != nil {
			return err
		}
		for id := first; id < first+n; id++ {
			i := slices.IndexFunc(records, func(r table.Record) bool { return r.Handle == id })
			var err error
			if i >= 0 {
				err = st.Delete(x.t, x.tb, id, records[i].Row)
			} else {
				_, err = st.Insert(x.t, x.tb, table.Row{codec.Int(id), code})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// sideAudit compares the rows and the indexes of the side tables that are there.
func (w *tables) sideAudit(t env.Task, s *Session) error {
	for n := range sideTables {
		err := w.transactionOn(t, s, sideName(n), func(x *tableTx) error {
			x.record.Compared++
			return x.Check(x.t, x.tb)
		})
		if err = audited(err); err != nil && !errors.Is(err, table.ErrSchema) {
			return err
		}
	}
	return nil
}
