package table

import (
	"simrun/nodes/codec"
	"simrun/nodes/env"
)

// Check compares the rows of a table with each of its public indexes: every row
// has its entry, and every entry its row. The error is ErrInconsistent. A pessimistic
// transaction looks at what is newest, which agrees with what it has written.
func (tx *Tx) Check(t env.Task, tb *Table) error {
	if tx.Pessimistic() && !tx.within {
		return tx.Do(t, func(*Statement) error { return tx.check(t, tb) })
	}
	return tx.check(t, tb)
}

func (tx *Tx) check(t env.Task, tb *Table) error {
	records, err := tx.Scan(t, tb, Scan{})
	if err != nil {
		return err
	}
	for i := range tb.Indexes {
		if x := &tb.Indexes[i]; x.State == Public {
			if err := tx.checkIndex(t, tb, x, records); err != nil {
				return failure("check", err)
			}
		}
	}
	return nil
}

// checkIndex compares the entries that there are with those that the records
// should have.
func (tx *Tx) checkIndex(t env.Task, tb *Table, x *Index, records []Record) error {
	prefix := codec.IndexPrefix(tb.ID, x.ID)
	entries, err := tx.kv.Scan(t, prefix, codec.PrefixEnd(prefix), 0)
	if err != nil {
		return err
	}
	stored := make(map[string]string, len(entries))
	for _, e := range entries {
		stored[string(e.Key)] = string(e.Value)
	}
	for _, r := range records {
		key, value, _ := tb.entry(x, r.Row, r.Handle)
		if there, found := stored[string(key)]; !found || there != string(value) {
			return tb.disagree("row %d of table %s has no entry (%s) in index %s", r.Handle, tb.Name, tb.describe(x, x.values(r.Row)), x.Name)
		}
	}
	// Entries have different keys, so as many entries as rows are those of the rows,
	// unless two rows share one: then the entry names one of them only.
	if len(entries) != len(records) {
		return tb.disagree("index %s.%s has %d entries for %d rows", tb.Name, x.Name, len(entries), len(records))
	}
	return nil
}
