package raftstore

import (
	"fmt"

	"simrun/nodes/invariant"
)

// raftLogger is raft's logger. What raft tells is of no interest, except that
// it cannot go on: that is a bug, unless the process has ended already.
type raftLogger struct{ s *Store }

func (raftLogger) Debug(...any)            {}
func (raftLogger) Debugf(string, ...any)   {}
func (raftLogger) Info(...any)             {}
func (raftLogger) Infof(string, ...any)    {}
func (raftLogger) Warning(...any)          {}
func (raftLogger) Warningf(string, ...any) {}
func (raftLogger) Error(...any)            {}
func (raftLogger) Errorf(string, ...any)   {}

func (l raftLogger) Fatal(v ...any)                 { l.fail(fmt.Sprint(v...)) }
func (l raftLogger) Fatalf(format string, v ...any) { l.fail(fmt.Sprintf(format, v...)) }
func (l raftLogger) Panic(v ...any)                 { l.fail(fmt.Sprint(v...)) }
func (l raftLogger) Panicf(format string, v ...any) { l.fail(fmt.Sprintf(format, v...)) }

func (l raftLogger) fail(message string) {
	if l.s.dead {
		return
	}
	invariant.Fail("raft: store %d: %s", l.s.id, message)
}
