// Package disk keeps a Pebble store in a directory of one process, and outlives what a disk can do: a file system that is full or fails, logs that
// were cut off, damage, a second process, a store of another build. The state store and the view store stand on it; what their rows are it does
// not know.
//
// guard.go says how Pebble is kept from ending the process, and what a batch that was committed survives.
package disk
