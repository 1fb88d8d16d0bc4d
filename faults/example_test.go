package faults_test

import (
	"fmt"
	"time"

	"simrun/faults"
)

// A fault is a value that prints as a line of text and parses back to itself.
func ExampleParse() {
	f, err := faults.Parse("at 2s isolate leader(k017),client1 for 1500ms")
	if err != nil {
		fmt.Println(err)
		return
	}
	f.At += time.Second
	fmt.Println(f)

	_, err = faults.Parse("at 2s isolate leader(k017) for ever")
	fmt.Println(err)
	// Output:
	// at 3s isolate leader(k017),client1 for 1.5s
	// column 32 of "at 2s isolate leader(k017) for ever": how long it lasts: invalid duration "ever": write a number and a unit, such as 1.5s, 800ms, 20us
}

// A storm is drawn from a seed; the schedule is a value from then on.
func ExampleStorm() {
	schedule := faults.Storm(9, faults.StormConfig{
		Length:    faults.Duration(5 * time.Second),
		Kinds:     []faults.Kind{faults.Partition, faults.PowerLoss, faults.Network, faults.TransferLeader},
		PeriodMin: faults.Duration(time.Second),
		Stores:    []string{"store1", "store2", "store3"},
		Clients:   []string{"client1"},
		Keys:      []string{"k1", "k2"},
	})
	for _, f := range schedule {
		fmt.Println(f)
	}
	// Output:
	// at 85.1ms network loss 5.6% duplicate 1% latency 3.7ms for 645.5ms
	// at 1.0799s partition store2 -> client1 for 81ms
	// at 1.5878s network loss 5.5% on store2 | store1 for 239ms
	// at 2.0889s transfer-leader k2
	// at 2.3346s partition store3 -> store2 for 19.8ms
	// at 2.5488s network loss 0.2% latency 19.5ms for 534.7ms
	// at 3.8464s network duplicate 2.9% latency 400us for 50.9ms
	// at 4.8352s partition store1 -> store3 for 288.3ms
}
