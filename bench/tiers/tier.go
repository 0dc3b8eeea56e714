// One tier in Go: a goroutine for each connection. tier TRUTH HEADERS [HOST:PORT ...]; see tier.py.
package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

func name(bytes int) string {
	made := make([]byte, bytes)
	rand.Read(made)
	return fmt.Sprintf("%x", made)
}

func main() {
	truth, err := os.OpenFile(os.Args[1], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	withHeaders, behind := os.Args[2] == "b3", os.Args[3:]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.Serve(listener, http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		for _, place := range behind {
			child := "id-" + name(6)
			fmt.Fprintf(truth, "%s %s\n", request.URL.Path[1:], child)
			asked, _ := http.NewRequest("GET", "http://"+place+"/"+child, nil)
			if trace := request.Header.Get("X-B3-TraceId"); withHeaders && trace != "" {
				asked.Header.Set("X-B3-TraceId", trace)
				asked.Header.Set("X-B3-ParentSpanId", request.Header.Get("X-B3-SpanId"))
				asked.Header.Set("X-B3-SpanId", name(8))
			}
			said, err := http.DefaultClient.Do(asked)
			if err != nil {
				http.Error(answer, err.Error(), 502)
				return
			}
			io.Copy(io.Discard, said.Body)
			said.Body.Close()
		}
		time.Sleep(time.Millisecond)
		answer.Write([]byte("ok"))
	}))
}
