package workload

import (
	"simrun/nodes/client"
	"simrun/nodes/table"
)

// tableClients are the tables as the clients of a workload see them.
type tableClients struct {
	config table.Config // without Inner, which every client has for itself
	of     map[*Session]tableClient
}

// tableClient is what a client has between two steps.
type tableClient struct {
	below *client.Client // whose process it is of
	db    *table.DB
}

func newTableClients(cfg table.Config) tableClients {
	return tableClients{config: cfg, of: map[*Session]tableClient{}}
}

// database returns the tables as a client's process sees them: what it knows of
// the schema ends with it.
func (cs *tableClients) database(s *Session) *table.DB {
	if c, known := cs.of[s]; known && c.below == s.DB {
		return c.db
	}
	cfg := cs.config
	cfg.Inner = innerStore{tableStore{s}}
	db := table.New(tableStore{s}, cfg)
	cs.of[s] = tableClient{s.DB, db}
	return db
}
