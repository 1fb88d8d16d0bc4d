package disk_test

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/sim/disk"
	"simrun/sim/stream"
)

// A write is durable when its sync completes, not when the call returns.
func Example() {
	loop := &clock{}
	ssd := disk.Config{Sync: disk.Latency{Min: time.Millisecond, Max: time.Millisecond}}
	d := disk.New(loop, ssd, stream.New(7, "disk"))

	fs := d.FS()
	f, _ := fs.Create("data", vfs.WriteCategoryUnspecified)
	root, _ := fs.OpenDir("/")
	_, _ = f.Write([]byte("promise"))
	_ = f.Sync()
	_ = root.Sync()
	fmt.Println("durable after", time.Duration(d.Durable()))

	loop.now = d.Durable()
	_, _ = f.Write([]byte(" and a hope"))
	d.Crash(disk.PowerLoss)

	g, _ := d.FS().Open("data")
	left := make([]byte, 7)
	_, _ = g.ReadAt(left, 0)
	fmt.Printf("found %q\n", left)
	// Output:
	// durable after 2ms
	// found "promise"
}
