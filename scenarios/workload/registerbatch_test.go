package workload

import (
	"strings"
	"testing"

	"simrun/nodes/client"
)

// What a scan says of each key: goal is that nothing it says or leaves out goes
// unjudged, and nothing that it did not say is judged. An answer is written as
// key=value, key= if it is absent, key! if it has a value that nobody wrote.
func TestScanAnswers(t *testing.T) {
	known := []string{"b", "a", "c", "d"}
	for _, c := range []struct {
		name  string
		scan  scan
		pairs string // key and value are the same
		want  string
	}{
		{"everything", scan{"a", "e", 0, false}, "a b c d", "a=a b=b c=c d=d"},
		{"some are absent", scan{"a", "e", 0, false}, "b d", "b=b d=d a= c="},
		{"a part of the range", scan{"b", "d", 0, false}, "c", "c=c b="},
		{"a limit that is not reached", scan{"a", "e", 3, false}, "b d", "b=b d=d a= c="},
		{"a limit", scan{"a", "e", 2, false}, "b c", "b=b c=c a="},
		{"a limit, backward", scan{"a", "e", 2, true}, "d b", "d=d b=b c="},
		{"nothing", scan{"a", "e", 1, false}, "", "b= a= c= d="},
		{"a key that nobody knows", scan{"a", "e", 0, false}, "a b bb c d", "a=a b=b bb=bb c=c d=d"},
		{"out of range", scan{"b", "d", 0, false}, "b c d", "b=b c=c d!"},
		{"beyond the limit", scan{"a", "e", 1, false}, "a b", "a=a b!"},
		{"out of order", scan{"a", "e", 0, false}, "b a c d", "b=b a! c=c d=d"},
		{"out of order, backward", scan{"a", "e", 0, true}, "a b c d", "a=a b! c! d!"},
		{"twice", scan{"a", "e", 0, false}, "a a b c d", "a=a a! b=b c=c d=d"},
		{"twice, backward", scan{"a", "c", 0, true}, "b b a", "b=b b! a=a"},
	} {
		var pairs []client.Pair
		for _, key := range strings.Fields(c.pairs) {
			pairs = append(pairs, client.Pair{Key: []byte(key), Value: []byte(key)})
		}
		var got []string
		for _, a := range c.scan.answers(known, pairs) {
			switch {
			case a.value == nil:
				got = append(got, a.key+"=")
			case *a.value == a.key:
				got = append(got, a.key+"="+a.key)
			default:
				got = append(got, a.key+"!")
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: got %s, want %s", c.name, s, c.want)
		}
	}
}
