// A server and 64 clients in one program, a goroutine each; every client says "NUMBER PORT": its own number and its connection's.
package main

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"
)

func number() string {
	text := make([]byte, 64)
	return strings.Fields(string(text[:runtime.Stack(text, false)]))[1]
}

func main() {
	// the collector looks at a program when it has begun
	time.Sleep(1500 * time.Millisecond)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go io.Copy(struct{ io.Writer }{conn}, struct{ io.Reader }{conn})
		}
	}()
	var all sync.WaitGroup
	for i := 0; i < 64; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				panic(err)
			}
			fmt.Println(number(), conn.LocalAddr().(*net.TCPAddr).Port)
			answer := make([]byte, 4)
			for turn := 0; turn < 4; turn++ {
				conn.Write([]byte("call"))
				io.ReadFull(conn, answer)
				time.Sleep(time.Millisecond)
			}
			conn.Close()
		}()
	}
	all.Wait()
}
