// Calls on sockets out of a Go program, as drive_calls.c makes them: a question and its answer over loopback connections, both ends in one
// goroutine.
//
//	go build -o /tmp/calls bench/drive_calls.go
//	/tmp/calls go PAIRS BYTES CONNECTIONS COLD
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func move(from, to net.Conn, data, room []byte) {
	_, err := from.Write(data)
	must(err)
	_, err = to.Read(room)
	must(err)
}

func main() {
	var numbers [3]int
	for i := range numbers {
		var err error
		numbers[i], err = strconv.Atoi(os.Args[2+i])
		must(err)
	}
	pairs, size, connections := numbers[0], numbers[1], numbers[2]
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	must(err)
	near, far := make([]net.Conn, connections), make([]net.Conn, connections)
	for i := range near {
		near[i], err = net.Dial("tcp4", listener.Addr().String())
		must(err)
		far[i], err = listener.Accept()
		must(err)
	}
	data, room := make([]byte, size), make([]byte, size)
	copy(data, "GET /")
	input := bufio.NewReader(os.Stdin)
	for {
		if _, err := input.ReadByte(); err != nil {
			return
		}
		began := time.Now()
		for i := 0; i < pairs; i++ {
			if i/connections%2 == 0 {
				move(near[i%connections], far[i%connections], data, room)
			} else {
				move(far[i%connections], near[i%connections], data, room)
			}
		}
		fmt.Println(time.Since(began).Nanoseconds() / int64(pairs))
	}
}
