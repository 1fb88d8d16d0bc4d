package engine

import "testing"

// TestCFsAreComplete checks that every column family has a name of its own,
// which parses back, and a prefix of its own that is neither the lowest nor the
// highest byte.
func TestCFsAreComplete(t *testing.T) {
	all := AllCFs()
	if len(all) != int(numCFs) {
		t.Fatalf("%d column families, %d in the list", numCFs, len(all))
	}
	seen := map[byte]CF{}
	for _, cf := range all {
		if parsed, err := ParseCF(cf.String()); err != nil || parsed != cf {
			t.Errorf("%s parses as %v, %v", cf, parsed, err)
		}
		p := cf.prefix()
		if other, twice := seen[p]; twice || p == 0 || p == 0xff {
			t.Errorf("prefix %x of %s is that of %s, or at an end", p, cf, other)
		}
		seen[p] = cf
	}
	if cf, err := ParseCF(""); err != nil || cf != Default {
		t.Errorf("the empty name is %v, %v", cf, err)
	}
	if _, err := ParseCF("meta"); err == nil {
		t.Error("an unknown name parses")
	}
}
