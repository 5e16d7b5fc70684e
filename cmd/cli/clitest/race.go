//go:build race

package clitest

// RaceDetector says whether the program was built with the race detector, which makes it take
// several times the memory.
const RaceDetector = true
