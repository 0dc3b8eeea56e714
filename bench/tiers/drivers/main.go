// One tier in Go that asks with the clients that Go programs use: net/http, a pool of plain TCP connections (as drivers of Redis keep
// them), database/sql with a driver of MariaDB or PostgreSQL.
//
// drivers TRUTH HOW [KIND:PLACE ...]; KIND is http, redis, mysql or postgres, PLACE a HOST:PORT or the driver's own. HOW is "own" (the
// handler's goroutine asks), "fan" (it starts one for each call and waits for all) or "late" (what it starts asks after the answer is out: nothing then proves
// what caused it). Appends "PARENT CHILD" to TRUTH for every call, and listens on a port that it prints.
package main

import (
	"bufio"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/lib/pq"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// asker makes one call with this id.
type asker func(child string) error

func overHTTP(place string) asker {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	return func(child string) error {
		said, err := client.Get("http://" + place + "/" + child)
		if err != nil {
			return err
		}
		defer said.Body.Close()
		_, err = io.Copy(io.Discard, said.Body)
		return err
	}
}

func overRedis(place string) asker {
	idle := make(chan net.Conn, 64)
	return func(child string) error {
		var conn net.Conn
		var err error
		select {
		case conn = <-idle:
		default:
			if conn, err = net.Dial("tcp", place); err != nil {
				return err
			}
		}
		fmt.Fprintf(conn, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(child), child)
		if _, err = bufio.NewReader(conn).ReadString('\n'); err != nil {
			return err
		}
		idle <- conn
		return nil
	}
}

func overSQL(driver, source string) asker {
	pool, err := sql.Open(driver, source)
	must(err)
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(16)
	return func(child string) error {
		var said string
		return pool.QueryRow("SELECT '" + child + "'").Scan(&said)
	}
}

func main() {
	truth, err := os.OpenFile(os.Args[1], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	must(err)
	how := os.Args[2]
	var behind []asker
	for _, each := range os.Args[3:] {
		kind, place, _ := strings.Cut(each, ":")
		switch kind {
		case "http":
			behind = append(behind, overHTTP(place))
		case "redis":
			behind = append(behind, overRedis(place))
		default:
			behind = append(behind, overSQL(kind, place))
		}
	}
	call := func(ask asker, parent string) {
		name := make([]byte, 6)
		rand.Read(name)
		child := fmt.Sprintf("id-%x", name)
		fmt.Fprintf(truth, "%s %s\n", parent, child)
		must(ask(child))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.Serve(listener, http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		parent := request.URL.Path[1:]
		var all sync.WaitGroup
		for _, ask := range behind {
			if how == "own" {
				call(ask, parent)
				continue
			}
			all.Add(1)
			go func(ask asker) {
				defer all.Done()
				if how == "late" {
					time.Sleep(4 * time.Millisecond)
				}
				call(ask, parent)
			}(ask)
		}
		if how == "fan" {
			all.Wait()
		}
		time.Sleep(time.Millisecond)
		answer.Write([]byte("ok"))
	}))
}
