package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"simrun/nodes/invariant"
)

//nolint:gochecknoglobals // marks register once
var markLogHole = invariant.NewMark("engine: log ends before a record whose beginning is lost")

// The parts of a log (Pebble, record/record.go): a record is one chunk or several, and no
// chunk crosses the end of a block.
const (
	logBlock  = 32 << 10
	logHeader = 11 // of a chunk: checksum, length (2 bytes), kind (1), number of the log
	// logHeaderSynced is the length of the header of newer formats.
	logHeaderSynced = logHeader + 8
)

// Kinds of chunks.
const (
	chunkWhole = 5 + iota
	chunkFirst
	chunkMiddle
	chunkLast
)

// openLog returns a log without what Pebble must not replay.
//
// What was not synced may survive a power loss in any part: also a record whose first
// chunk is lost, which is where it ends for Pebble. But if that chunk began less than
// logHeaderSynced bytes before the end of a block, Pebble 2.1 takes the zeros there for
// what newer formats leave at the end of a block, passes over the rest of the record in
// the next one, and replays those after it. A store would have applied an entry of the
// raft log without its writes.
func openLog(name string, f vfs.File) (vfs.File, error) {
	data, err := contents(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("engine: read log %q: %w", name, err)
	}
	end := replayable(data)
	if !markLogHole.Sometimes(end < len(data)) {
		return f, nil
	}
	return &logFile{File: f, left: end}, nil
}

func contents(f vfs.File) ([]byte, error) {
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, stat.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, err
	}
	return data, nil
}

// replayable returns the length of a log up to the record of which the beginning is lost
// though the next block goes on with it; the whole length if there is none.
func replayable(log []byte) int {
	whole := 0      // where the last record ends
	inside := false // of a record
	for at := 0; at+logHeader <= len(log); {
		left := min(logBlock-at%logBlock, len(log)-at)
		header := log[at:min(at+logHeaderSynced, at+left)]
		if left < logHeaderSynced && zeros(header) || left < logHeader {
			at += left
			continue
		}
		length := logHeader + int(binary.LittleEndian.Uint16(header[4:6]))
		if length > left || !bytes.Equal(header[7:logHeader], log[7:logHeader]) || checksum(log[at+6:at+length]) != binary.LittleEndian.Uint32(header) {
			return len(log) // Pebble stops here
		}
		switch kind := header[6]; {
		case kind < chunkWhole || kind > chunkLast:
			return len(log) // and here
		case (kind == chunkMiddle || kind == chunkLast) && !inside:
			return whole
		default:
			inside = kind == chunkFirst || kind == chunkMiddle
		}
		at += length
		if !inside {
			whole = at
		}
	}
	return len(log)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a constant

// checksum is that of a chunk from its kind on: masked, as LevelDB does it.
func checksum(p []byte) uint32 {
	sum := crc32.Checksum(p, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

func zeros(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// logFile is the beginning of a log.
type logFile struct {
	vfs.File
	left int // to be read
}

// Read implements vfs.File.
func (f *logFile) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n, err := f.File.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}
