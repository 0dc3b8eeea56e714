// Asks the service as Grafana does: go mod init x && go mod tidy && go run . 127.0.0.1:8123
package main

import (
	"context"
	"fmt"
	"os"
	"github.com/ClickHouse/clickhouse-go/v2"
)

func main() {
	for _, comp := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionGZIP} {
		conn := clickhouse.OpenDB(&clickhouse.Options{Addr: []string{os.Args[1]}, Protocol: clickhouse.HTTP, Compression: &clickhouse.Compression{Method: comp}, Settings: clickhouse.Settings{"max_execution_time": 30}})
		rows, err := conn.QueryContext(context.Background(), "SELECT number, toString(number), toLowCardinality(toString(number % 3)), [number], map('a', number), toNullable(number), toDateTime(number), toIPv4('1.2.3.4'), tuple(number, 'x') FROM numbers(3)")
		if err != nil { fmt.Println("ERR", err); continue }
		ct, _ := rows.ColumnTypes()
		for rows.Next() {
			v := make([]any, len(ct)); p := make([]any, len(ct)); for i := range v { p[i] = &v[i] }
			if err := rows.Scan(p...); err != nil { fmt.Println("SCAN", err) }
			fmt.Println(v...)
		}
		fmt.Println("done", rows.Err())
	}
}
