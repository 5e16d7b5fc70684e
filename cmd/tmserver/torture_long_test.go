//go:build torture

package main

import "time"

// tortureTime is how long TestTorture takes, without what is left to do at its end.
const tortureTime = 10 * time.Minute
