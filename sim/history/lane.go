package history

// LaneStride is the distance of the numbers of a client's lanes. A client of a history is
// sequential; what one does at the same time is recorded as operations of lanes, each a
// client of its own: client c, c+LaneStride, c+2*LaneStride, and so on.
const LaneStride = 1 << 20

// ClientOf returns the client of whom a client of a history is a lane.
func ClientOf(lane int) int { return lane % LaneStride }
