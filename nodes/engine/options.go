package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
)

const (
	// memTableMax is the size with which Pebble starts a memtable whatever its
	// options say. A larger one would grow by steps that depend on how full the
	// one before it really was, that is on random heights.
	memTableMax = 256 << 10
	memTableMin = 16 << 10
	// cacheMax: below this size a cache has the same number of shards on every
	// machine, so that the same blocks are evicted.
	cacheMax = 32 << 20
	// outOfReach is a limit for what this package limits itself.
	outOfReach = 1000
	// unlimitedSplit is more bytes than any level holds.
	unlimitedSplit = 1 << 40
)

// Options configures the databases of a store. The zero value of a field
// stands for its default.
type Options struct {
	// MemTableSize is the size in bytes of a memtable, from 16 KiB to 256 KiB,
	// which is the default.
	MemTableSize int
	// MemTablesMax is the number of immutable memtables, which wait for the end of
	// their flush, at which writes stop; one less slows them down. Default 5.
	MemTablesMax int
	// L0CompactionThreshold is the number of tables in level 0 that makes Pebble
	// ask for a compaction. A flush makes one table. Default 4.
	L0CompactionThreshold int
	// L0SlowdownFiles and L0StopFiles are the numbers of tables in level 0 at which
	// writes are slowed down and stop. Defaults 20 and 36.
	L0SlowdownFiles int
	L0StopFiles     int
	// PendingBytesSlowdown and PendingBytesStop are the same for the bytes that
	// compactions would have to rewrite until every level is within its size.
	// Defaults 64 and 256 times MemTableSize.
	PendingBytesSlowdown int64
	PendingBytesStop     int64
	// RateBytesPerSec is the bandwidth of background work: what flushes write and
	// compactions read and write, flushes first. Zero is unlimited: then it is the
	// disk alone that takes its time.
	RateBytesPerSec int64
	// LBaseMaxBytes is the size of the first level below level 0 from which on it
	// is compacted further; each level below it may be ten times as large. Default
	// half of MemTableSize.
	LBaseMaxBytes int64
	// TargetFileSize is the size of the tables of the first level below level 0;
	// each level below it doubles it. Default a quarter of MemTableSize.
	TargetFileSize int64
	// MaxManifestFileSize is the size from which on a new MANIFEST is begun.
	// Default 64 KiB.
	MaxManifestFileSize int64

	// CompactionDelay is the upper bound of the seeded delay between Pebble's wish
	// for a compaction and its start, FlushDelay that between a memtable that is
	// full enough and its flush, CleanDelay that between a file's end of use and
	// its deletion. Defaults 20, 20 and 50 ms.
	CompactionDelay time.Duration
	FlushDelay      time.Duration
	CleanDelay      time.Duration

	// Caches, if set, are shared by several stores and outlive them. By default
	// each store has its own.
	Caches *Caches
	// Observer, if not nil, is told of background work and stalls.
	Observer Observer
}

func (o Options) withDefaults() Options {
	setDefault(&o.MemTableSize, memTableMax)
	setDefault(&o.L0CompactionThreshold, 4)
	setDefault(&o.MemTablesMax, 5)
	setDefault(&o.L0SlowdownFiles, 20)
	setDefault(&o.L0StopFiles, 36)
	setDefault(&o.PendingBytesSlowdown, 64*int64(o.MemTableSize))
	setDefault(&o.PendingBytesStop, 256*int64(o.MemTableSize))
	setDefault(&o.LBaseMaxBytes, int64(o.MemTableSize)/2)
	setDefault(&o.TargetFileSize, int64(o.MemTableSize)/4)
	setDefault(&o.MaxManifestFileSize, 64<<10)
	setDefault(&o.CompactionDelay, 20*time.Millisecond)
	setDefault(&o.FlushDelay, 20*time.Millisecond)
	setDefault(&o.CleanDelay, 50*time.Millisecond)
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	return o
}

func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

func (o Options) validate() error {
	if o.MemTableSize < memTableMin || o.MemTableSize > memTableMax {
		return fmt.Errorf("engine: memtable size %d is not between %d and %d", o.MemTableSize, memTableMin, memTableMax)
	}
	if o.L0CompactionThreshold < 1 || o.LBaseMaxBytes < 1 || o.TargetFileSize < 1 || o.MaxManifestFileSize < 1 {
		return errors.New("engine: level sizes must be positive")
	}
	if o.MemTablesMax < 2 || o.L0SlowdownFiles < o.L0CompactionThreshold || o.L0StopFiles <= o.L0SlowdownFiles {
		return errors.New("engine: writes must stop after they were slowed down, and both after a compaction is due")
	}
	if o.PendingBytesSlowdown < 1 || o.PendingBytesStop <= o.PendingBytesSlowdown || o.RateBytesPerSec < 0 {
		return errors.New("engine: the limits of pending bytes must be positive and ascending, the rate not negative")
	}
	if o.CompactionDelay < 0 || o.FlushDelay < 0 || o.CleanDelay < 0 {
		return errors.New("engine: delays must not be negative")
	}
	return nil
}

// Caches are the caches of blocks and of open tables, which the databases of
// one simulation can share.
type Caches struct {
	blocks *pebble.Cache
	tables *pebble.FileCache
}

// NewCaches returns caches for size bytes of blocks (below 32 MiB) and for as
// many open tables as given.
func NewCaches(size int64, tables int) (*Caches, error) {
	if size <= 0 || size >= cacheMax || tables <= 0 {
		return nil, fmt.Errorf("engine: a cache of %d bytes and %d tables is not between 1 and %d bytes and has a table", size, tables, cacheMax-1)
	}
	return &Caches{pebble.NewCache(size), pebble.NewFileCache(1, tables)}, nil
}

// Close frees the caches once all databases that use them are closed.
func (c *Caches) Close() {
	c.tables.Unref()
	c.blocks.Unref()
}

// Default sizes of a store's own caches. Memtables are accounted to the block
// cache, hence the size.
const (
	defaultCacheSize   = 4 << 20
	defaultCacheTables = 128
)

// pebbleOptions returns options under which what Pebble does depends on
// nothing but the calls that it gets.
func (db *DB) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		Comparer: comparer,
		FS:       tableFS{db.env.Disk.FS()}, // nil would add health checks, which have timers
		// Newer formats write into each chunk of the log how much of the log was
		// synced, which depends on the scheduling of goroutines.
		FormatMajorVersion: pebble.FormatColumnarBlocks,
		Logger:             (*failureLogger)(db),
		EventListener:      db.eventListener(),
		Cleaner:            db.cleaner.adapter(),
		Cache:              db.caches.blocks,
		FileCache:          db.caches.tables,
		// Statistics of tables are collected in the background.
		DisableTableStats: true,

		MemTableSize: uint64(db.opts.MemTableSize),
		// Pebble compacts level 0 at half as many overlapping tables as this says, or
		// at as many tables as the other option says.
		L0CompactionThreshold:     2 * db.opts.L0CompactionThreshold,
		L0CompactionFileThreshold: db.opts.L0CompactionThreshold,
		LBaseMaxBytes:             db.opts.LBaseMaxBytes,
		MaxManifestFileSize:       db.opts.MaxManifestFileSize,
		// A stalled write would stop the event loop, and with it the work that
		// could end the stall.
		MemTableStopWritesThreshold: outOfReach,
		L0StopWritesThreshold:       outOfReach,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 1 },
	}
	// One compressor gives different bytes on different processors.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings {
		return pebble.UniformDBCompressionSettings(sstable.NoCompression)
	})
	// A flush makes one table, whatever is in level 0 by then.
	o.TargetFileSizes[0] = max(db.opts.TargetFileSize, 2*int64(db.opts.MemTableSize))
	o.FlushSplitBytes = unlimitedSplit
	for i := range o.TargetFileSizes[1:] {
		o.TargetFileSizes[i+1] = db.opts.TargetFileSize << i
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.Experimental.CompactionScheduler = db.scheduler
	o.Experimental.ReadSamplingMultiplier = -1 // samples are drawn from an unseeded generator
	o.Experimental.FileCacheShards = 1         // the default depends on GOMAXPROCS
	return o
}
