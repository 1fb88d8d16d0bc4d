package disk_test

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/sim/disk"
	"simrun/sim/stream"
)

// BenchmarkAppendSync is what a synced commit of 100 bytes costs here: a log
// write and a sync, observed, on a device that is a few syncs behind. The log is
// replaced when it has grown to 256 KiB.
func BenchmarkAppendSync(b *testing.B) {
	for _, bench := range []struct {
		name     string
		recycled bool
	}{{"new log", false}, {"recycled log", true}} {
		b.Run(bench.name, func(b *testing.B) { appendSync(b, bench.recycled) })
	}
}

func appendSync(b *testing.B, recycled bool) {
	const size, logSize = 100, 256 << 10
	c := &clock{}
	d := disk.New(c, disk.DefaultConfig(), stream.New(1, "disk"))
	var digest uint64
	d.SetObserver(func(op disk.Op) { digest ^= op.Digest() })
	fs := d.FS()
	names := [2]string{"000001.log", "000002.log"}
	f := must(fs.Create(names[0], disk.LogCategory))
	payload := make([]byte, size)
	b.ReportAllocs()
	written, logs := 0, 1
	for b.Loop() {
		if written += size; written > logSize {
			old, name := names[(logs+1)%2], names[logs%2]
			if recycled {
				f = must(fs.ReuseForWrite(old, name, disk.LogCategory))
			} else {
				f = must(fs.Create(name, disk.LogCategory))
			}
			written, logs = size, logs+1
		}
		if _, err := f.Write(payload); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		c.now = d.Durable() - int64(2*time.Millisecond)
	}
}

// BenchmarkCommit is a synced commit of 100 bytes by Pebble.
func BenchmarkCommit(b *testing.B) {
	n := newNode(b, 1, disk.DefaultConfig())
	n.open()
	key, value := []byte("key"), make([]byte, 100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%500 == 499 {
			n.store.flush()
			for n.store.compact() { // or too many tables would stall writes for ever
			}
		}
		batch := n.store.NewBatch()
		_ = batch.Set(key, value, nil)
		if err := batch.Commit(nil); err != nil {
			b.Fatal(err)
		}
		_ = batch.Close()
		n.clock.now = n.disk.Durable()
	}
	b.StopTimer()
	n.close()
}

// BenchmarkCrash is a power loss in the middle of a workload, what it takes to
// get the image, to close the zombie and to open the database again.
func BenchmarkCrash(b *testing.B) {
	n := newNode(b, 1, disk.DefaultConfig())
	n.open()
	for range 300 {
		n.clock.now += int64(time.Millisecond)
		n.step()
	}
	b.Run("image", func(b *testing.B) {
		for b.Loop() {
			n.disk.Crash(disk.PowerLoss)
		}
	})
	b.Run("and recovery", func(b *testing.B) {
		for b.Loop() {
			n.end(disk.PowerLoss, false)
		}
	})
	n.close()
}

func must(f vfs.File, err error) vfs.File {
	if err != nil {
		panic(err)
	}
	return f
}
