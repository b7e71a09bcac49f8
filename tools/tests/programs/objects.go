// SPDX-License-Identifier: GPL-2.0-only

// Goroutines, garbage, and memory given back to the system, until the file named exists.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
)

func fail(what string) {
	fmt.Println("wrong:", what)
	os.Exit(1)
}

func churn(seed int) {
	kept := map[int][]byte{}
	for i := 0; i < 2000; i++ {
		fresh := make([]byte, i*31%100000+1)
		for _, b := range fresh {
			if b != 0 {
				fail("a new slice is not zero")
			}
		}
		for j := range fresh {
			fresh[j] = byte(seed + i)
		}
		kept[i%100] = fresh
	}
	for _, bytes := range kept {
		if bytes[0] != bytes[len(bytes)-1] {
			fail("a slice has changed")
		}
	}
}

func main() {
	rounds := 0
	fmt.Println("ready")
	for ; ; rounds++ {
		if _, err := os.Stat(os.Args[1]); err == nil && rounds > 0 {
			break
		}
		var group sync.WaitGroup
		for i := 0; i < 4; i++ {
			group.Add(1)
			go func(seed int) {
				defer group.Done()
				churn(seed)
			}(i)
		}
		group.Wait()
		debug.FreeOSMemory()
	}
	fmt.Println(rounds, "rounds")
}
