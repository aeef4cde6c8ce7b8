// Command bench measures the engine beside a bare franz-go loop that does the same work on the same brokers.
//
//	go run ./bench -embedded -run all -json out.json
//	go run ./bench -brokers 127.0.0.1:9092 -run drain,call-1
//
// # One row, from end to end
//
// [run] reads the flags and opens a [cluster]. For each row asked for it makes one pass that is thrown away, so that neither side pays for a
// cold broker, and then so many passes as -repeat says. A pass makes topics of its own, does the work with the engine, then with the bare
// loop, and removes the topics: engine and loop take turns, so what else the machine does hits both. The [result] holds the medians and every
// pass.
//
// README.md says what each row does and why the loop beside it is a fair one.
package main
