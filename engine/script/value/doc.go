// Package value is where values cross between JavaScript and the engine. Into a
// script go lazy views: of a ping's JSON, parsed as far as the script looks; of
// the values of a key, decoded as it reads on; of a histogram, bound to its
// definition. Out of it come data as package datum encodes them. The table of
// what becomes what is in cross.go.
//
// A view is valid during one call of the script: the bytes behind it are reused.
// Touched later, it throws.
//
// To add a method to pings: name it in pingProto.make. To add a host function
// for library modules: installLibrary.
package value
