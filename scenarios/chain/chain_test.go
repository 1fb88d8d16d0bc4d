package chain_test

import (
	"testing"

	"simrun/scenarios/chain"
	"simrun/scenarios/trial/trialtest"
)

// The chain keeps its promises.
func TestChain(t *testing.T) { trialtest.Test(t, chain.System()) }

// Each step that is left out is found, by few faults, and nothing else is.
func TestPlanted(t *testing.T) {
	for _, omission := range []string{"no-sync", "no-lease", "no-monotonic-clock", "no-wait", "no-cut", "no-resync"} {
		t.Run(omission, func(t *testing.T) {
			if small, signature := trialtest.Find(t, chain.System(), omission, 600); len(small.Faults) > 5 || small.Params[omission] != 1 {
				t.Errorf("%s by\n%s", signature, small)
			}
		})
	}
}
