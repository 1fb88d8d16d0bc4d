package disk_test

import (
	"testing"

	"simrun/sim/disk"
)

// Each armed error counts for itself: the n-th write or sync from its arming
// fails, of whatever file that is, and disarming one leaves the others.
func TestSingleWriteErrors(t *testing.T) {
	s := newScript(1)
	s.play("create 1.sst")
	second := s.disk.FailWriteAt(disk.AnyClass, 2)
	third := s.disk.FailWriteAt(disk.AnyClass, 3)
	never := s.disk.FailWriteAt(disk.AnyClass, 1)
	s.disk.Disarm(never)
	s.play("write 1.sst a\nwrite 1.sst b\nsync 1.sst")
	if got, want := s.out.String(), "write 1.sst b: write 1.sst: simulated: input/output error\n"+
		"sync 1.sst: sync 1.sst: simulated: input/output error\n"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !s.disk.Struck(second) || !s.disk.Struck(third) || s.disk.Struck(never) {
		t.Error("the errors that happened are not those that were armed")
	}
	fatal := s.disk.FailWriteAt(disk.AnyClass, 1)
	s.out.Reset()
	s.play("create 2.log\nwrite 2.log a\nsync 2.log")
	if got, want := s.out.String(), "died by power loss: disk error on log\n"; got != want || !s.disk.Struck(fatal) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The n-th read of the table fails, once.
func TestSingleReadErrors(t *testing.T) {
	s := newScript(1)
	if s.disk.FailReadAt(1) != 0 {
		t.Error("armed without a table")
	}
	s.play("create 1.sst\nwrite 1.sst a\nclose 1.sst")
	a, b := s.disk.FailReadAt(2), s.disk.FailReadAt(2)
	s.disk.Disarm(a)
	s.play("read 1.sst\nread 1.sst\nread 1.sst")
	if got, want := s.out.String(), "read a\nread \nread 1.sst: read 1.sst: simulated: input/output error\nread a\n"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s.disk.Struck(a) || !s.disk.Struck(b) || s.disk.Stats().ReadErrors != 1 {
		t.Error("the error that happened is not the one that was armed")
	}
	healed := s.disk.FailReadAt(1)
	s.disk.Heal()
	s.play("read 1.sst")
	if s.disk.Struck(healed) {
		t.Error("an error happened after healing")
	}
}
