//go:build race

package script

// raceDetector says that the tests run with -race, under which the script engine is 20 to 40 times
// slower.
const raceDetector = true
