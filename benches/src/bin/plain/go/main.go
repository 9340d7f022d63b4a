// One sample of net/http, as ../../../sample.rs takes those of the others: nanoseconds per operation, of the clock and
// of this process, on standard output.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var (
	act      = flag.String("act", "", "get, get-parsed, collect, post")
	count    = flag.Int("count", 1, "operations of each thread")
	size     = flag.Int("size", 0, "bytes of the caller's buffer, or of the body to send")
	threads  = flag.Int("threads", 1, "goroutines with the one client")
	expected = flag.Int("bytes", 0, "bytes that one operation transfers")
	deadline = flag.Int("deadline", 0, "seconds for one operation, if not 0")
	buffered = flag.Int("buffer", 0, "bytes of the client's buffer, if not 0")
)

// As many as the largest work has goroutines; by default it keeps two connections per host.
const idleMax = 8

func main() {
	flag.Parse()
	client := &http.Client{
		// The others ask for no compression either.
		Transport: &http.Transport{MaxIdleConnsPerHost: idleMax, DisableCompression: true, ReadBufferSize: *buffered},
		Timeout:   time.Duration(*deadline) * time.Second,
	}
	warmUp := *count / 10
	if warmUp > 100 {
		warmUp = 100
	}
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	ready.Add(*threads)
	done.Add(*threads)
	for range make([]struct{}, *threads) {
		go func() {
			worker := newWorker(client, flag.Args())
			worker.repeat(warmUp)
			ready.Done()
			<-begin
			worker.repeat(*count)
			done.Done()
		}()
	}
	ready.Wait()
	cpu, start := cpuNs(), time.Now()
	close(begin)
	done.Wait()
	wall := time.Since(start).Nanoseconds()
	operations := float64(*count * *threads)
	fmt.Println(float64(wall)/operations, float64(cpuNs()-cpu)/operations)
}

type worker struct {
	client *http.Client
	texts  []string
	urls   []*url.URL
	turn   int
	buffer []byte
}

func newWorker(client *http.Client, texts []string) *worker {
	urls := make([]*url.URL, len(texts))
	for index, text := range texts {
		parsed, err := url.Parse(text)
		check(err)
		urls[index] = parsed
	}
	return &worker{client: client, texts: texts, urls: urls, buffer: bytes.Repeat([]byte("x"), *size)}
}

func (w *worker) repeat(count int) {
	for ; count > 0; count-- {
		w.turn = (w.turn + 1) % len(w.texts)
		if transferred := w.operate(); transferred != *expected {
			check(fmt.Errorf("%d bytes instead of %d", transferred, *expected))
		}
	}
}

func (w *worker) operate() int {
	text := w.texts[w.turn]
	switch *act {
	case "get":
		return w.drain(w.client.Get(text))
	case "get-parsed":
		return w.drain(w.client.Do(&http.Request{Method: "GET", URL: w.urls[w.turn]}))
	case "collect":
		return len(collect(w.client.Get(text)))
	case "post":
		answer := collect(w.client.Post(text, "application/octet-stream", bytes.NewReader(w.buffer)))
		number, err := strconv.Atoi(string(answer))
		check(err)
		return number
	}
	panic("no act " + *act)
}

// Reads the body to its end through the caller's buffer.
func (w *worker) drain(response *http.Response, err error) (total int) {
	check(err)
	defer response.Body.Close()
	for {
		count, err := response.Body.Read(w.buffer)
		total += count
		if err == io.EOF {
			return total
		}
		check(err)
	}
}

func collect(response *http.Response, err error) []byte {
	check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(err)
	return body
}

func cpuNs() int64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
