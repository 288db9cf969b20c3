package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"sync"
	"time"
)

const commandBytesMax = 1 << 20

// events writes one JSON object a line to standard output, from any goroutine.
type events struct {
	mutex sync.Mutex
	out   *json.Encoder
}

func newEvents() *events {
	return &events{out: json.NewEncoder(os.Stdout)}
}

// say stamps an event with the wall clock, in milliseconds, and writes it.
func (e *events) say(event map[string]any) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	event["at"] = float64(time.Now().UnixMicro()) / 1000
	if err := e.out.Encode(event); err != nil {
		os.Exit(1) // whoever reads is gone
	}
}

// commands calls handle with each line of the input, until it ends.
func commands[T any](in io.Reader, handle func(T)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, commandBytesMax)
	for lines.Scan() {
		var command T
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			return err
		}
		handle(command)
	}
	return lines.Err()
}
