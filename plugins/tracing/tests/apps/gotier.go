// A tier in Go: gotier HOW [PORT ...]. It asks those behind it for the path that it was asked for, then answers; HOW is "own" (its handler
// asks) or "fan" (it starts a goroutine for each). Prints the port on which it listens.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

func ask(port, path string) {
	said, err := http.Get("http://127.0.0.1:" + port + path)
	if err != nil {
		panic(err)
	}
	io.Copy(io.Discard, said.Body)
	said.Body.Close()
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.Serve(listener, http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		var all sync.WaitGroup
		for _, port := range os.Args[2:] {
			if os.Args[1] == "own" {
				ask(port, request.URL.Path)
				continue
			}
			all.Add(1)
			go func(port string) {
				defer all.Done()
				ask(port, request.URL.Path)
			}(port)
		}
		all.Wait()
		answer.Write([]byte("ok"))
	}))
}
