// Package planted breaks every rule of the guard against nondeterminism once.
package planted

import (
	"context"            // want "depguard"
	crypto "crypto/rand" // want "depguard"
	"maps"
	"math/rand"           // want "depguard"
	randv2 "math/rand/v2" // want "depguard"
	"slices"
	"sync"
	"time"
)

func clocks() time.Time {
	time.Sleep(1)                                // want "forbidigo"
	<-time.After(time.Until(time.Time{}))        // want "forbidigo" "forbidigo"
	_ = time.NewTimer(time.Since(time.Time{}))   // want "forbidigo" "forbidigo"
	context.WithTimeout(context.Background(), 1) // want "forbidigo"
	return time.Now()                            // want "forbidigo"
}

func randomness() int {
	crypto.Text()                                    // want "forbidigo"
	r := rand.New(rand.NewSource(1))                 // its methods are seeded
	return r.Intn(3) + rand.Intn(3) + randv2.IntN(3) // want "forbidigo" "forbidigo"
}

func unordered(m map[int]int, s *sync.Map, p *sync.Pool) {
	s.Range(nil)       // want "forbidigo"
	p.Get()            // want "forbidigo"
	for k := range m { // want "gocritic"
		_ = k
	}
	for _, v := range m { // want "gocritic"
		_ = v
	}
	for range maps.Keys(m) {
	}
	for k := range maps.Keys(m) { // want "gocritic"
		_ = k
	}
	_ = slices.Collect(maps.Values(m)) // want "gocritic"
	for _, k := range slices.Sorted(maps.Keys(m)) {
		_ = k
	}
}

func goroutines(c chan int) {
	go goroutines(c) // want "gocritic"
	go func() {}()   // want "gocritic"
	select {         // want "gocritic"
	case <-c:
	default:
	}
}
