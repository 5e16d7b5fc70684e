// Package engine runs a Job over segments: map, combine, shuffle, reduce. It
// knows neither JavaScript nor HTTP.
package engine
