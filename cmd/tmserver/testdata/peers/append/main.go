// Command append is what .ci/bench-acquire measures tmserver against: an HTTP
// handler that reads each body and throws it away, or, given a file, appends it
// there under a lock and never syncs.
//
//	go run ./cmd/tmserver/testdata/peers/append ADDRESS [FILE]
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"sync"
)

func main() {
	keep := func(b []byte) error { return nil }
	if len(os.Args) > 2 {
		f, err := os.OpenFile(os.Args[2], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			log.Fatal(err)
		}
		var mu sync.Mutex
		keep = func(b []byte) error {
			mu.Lock()
			defer mu.Unlock()
			_, err := f.Write(b)
			return err
		}
	}
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, b)
		if err == nil {
			err = keep(b)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "OK")
	})))
}
