package table

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"simrun/nodes/client"
	"simrun/nodes/codec"
	"simrun/nodes/env"
	"simrun/nodes/invariant"
	"simrun/nodes/table/kv"
)

// What the schema consists of. Numbers are decimal text, as TiDB has them.
//
//	SchemaVersionKey     the version, incremented by every change
//	NextGlobalID         the highest id that a table or a job has
//	DB:1 / Table:{id}    the descriptor of a table
//	DDLJobs / {id}       a job under way, ids in hexadecimal, so in their order
//	DDLHistory / {id}    a job that has ended
//	TID:1 / {id}         the highest hidden row id that was given to a client
//	GCDeleteRange / {id}      the keys of what the job {id} has dropped, and which
//	                          garbage collection is to remove
//	GCDeleteRangeDone / {id}  the same, when they are removed
const (
	versionField   = "SchemaVersionKey"
	globalIDField  = "NextGlobalID"
	tablesMap      = "DB:1"
	jobsMap        = "DDLJobs"
	jobHistoryMap  = "DDLHistory"
	rowIDMap       = "TID:1"
	droppedMap     = "GCDeleteRange"
	removedMap     = "GCDeleteRangeDone"
	tableFieldName = "Table:"
)

func tableKey(id int64) []byte {
	return codec.MetaHashKey(tablesMap, tableFieldName+fmt.Sprintf("%016x", id))
}
func jobKey(id int64) []byte { return codec.MetaHashKey(jobsMap, fmt.Sprintf("%016x", id)) }
func jobHistoryKey(id int64) []byte {
	return codec.MetaHashKey(jobHistoryMap, fmt.Sprintf("%016x", id))
}

func droppedKey(job int64) []byte { return codec.MetaHashKey(droppedMap, fmt.Sprintf("%016x", job)) }

func removedKey(job int64) []byte { return codec.MetaHashKey(removedMap, fmt.Sprintf("%016x", job)) }

func rowIDKey(table int64) []byte { return codec.MetaHashKey(rowIDMap, fmt.Sprintf("%016x", table)) }

// encodeRecord returns a record of the schema as it is stored.
func encodeRecord(record any) []byte {
	text, err := json.Marshal(record)
	if err != nil {
		invariant.Fail("table: %T does not encode: %v", record, err)
	}
	return text
}

// decodeRecord reads such a record; what says what it is.
func decodeRecord[T any](what string, text []byte) (*T, error) {
	record := new(T)
	if err := json.Unmarshal(text, record); err != nil {
		return nil, inconsistent("%s %q: %v", what, text, err)
	}
	return record, nil
}

// Schema is all tables at one version. It does not change.
type Schema struct {
	Version int64
	Tables  []*Table // in the order of their ids
}

// find returns the table of that name, nil if there is none. Names are as they
// were written.
func (s *Schema) find(name string) *Table {
	i := slices.IndexFunc(s.Tables, func(t *Table) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return s.Tables[i]
}

// table returns the table of that id, nil if there is none.
func (s *Schema) table(id int64) *Table {
	i := slices.IndexFunc(s.Tables, func(t *Table) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return s.Tables[i]
}

// number reads a number of the schema; one that is absent is zero.
func number(key, text []byte, found bool) (int64, error) {
	if !found {
		return 0, nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, inconsistent("%x holds %q: %v", key, text, err)
	}
	return n, nil
}

func readNumber(t env.Task, x kv.Txn, key []byte) (int64, error) {
	text, found, err := x.Get(t, key)
	if err != nil {
		return 0, err
	}
	return number(key, text, found)
}

func writeNumber(x kv.Txn, key []byte, n int64) { x.Set(key, strconv.AppendInt(nil, n, 10)) }

// loadSchema reads the schema of a snapshot, if it is not the cached one.
func loadSchema(t env.Task, x kv.Txn, cached *Schema) (*Schema, error) {
	version, err := readNumber(t, x, codec.MetaKey(versionField))
	if err != nil {
		return nil, err
	}
	if cached != nil && cached.Version == version {
		return cached, nil
	}
	pairs, err := scanMap(t, x, tablesMap)
	if err != nil {
		return nil, err
	}
	s := &Schema{Version: version}
	for _, p := range pairs {
		table, err := decodeTable(p.Value)
		if err != nil {
			return nil, err
		}
		s.Tables = append(s.Tables, table)
	}
	return s, nil
}

// scanMap reads all fields of a map of the schema.
func scanMap(t env.Task, x kv.Txn, name string) ([]client.Pair, error) {
	prefix := codec.MetaHashPrefix(name)
	return x.Scan(t, prefix, codec.PrefixEnd(prefix), 0)
}
