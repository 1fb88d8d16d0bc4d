package plan

// Minority is what one store suffers while the others are to serve everybody: of all
// that they hold they have a quorum without it.
type Minority string

// The kinds.
const (
	NoMinority Minority = "none"  // all faults end with the storm
	Killed     Minority = "kill"  // its process is gone
	Paused     Minority = "pause" // its process stands still
	Mute       Minority = "mute"  // nobody hears it, and it hears all
	Deaf       Minority = "deaf"  // it hears nobody, and all hear it
	Cut        Minority = "cut"   // it and one other store do not hear each other
)

// Minorities returns all kinds, none first.
func Minorities() []Minority { return []Minority{NoMinority, Killed, Paused, Mute, Deaf, Cut} }
