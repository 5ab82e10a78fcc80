// SPDX-License-Identifier: BSL-1.0

// The peer of Go: github.com/coder/websocket, a goroutine that writes and one that reads. See ../README.md.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

var (
	address  = flag.String("url", "http://127.0.0.1:8080", "http[s]://HOST:PORT or ws[s]://HOST:PORT")
	ca       = flag.String("ca", "", "PEM file of the certificates to trust")
	messages = flag.Int64("messages", 0, "0: as many as the seconds allow")
	seconds  = flag.Float64("seconds", 3, "of the measured stretch")
	window   = flag.Int("window", 1000, "messages unanswered at most")
	size     = flag.Int("payload", 100, "bytes")
)

type message struct {
	Payload []byte `json:"payload"` // in base64
	Context string `json:"context"`
}

type acknowledgement struct {
	Result  string `json:"result"`
	Context string `json:"context"`
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func makePayload(size int) []byte {
	bytes, state := make([]byte, size), uint32(1)
	for i := range bytes {
		state = state*1664525 + 1013904223
		bytes[i] = byte(state >> 24)
	}
	return bytes
}

func oneTimePassword(client *http.Client, to *url.URL) string {
	request, err := http.NewRequest("POST", to.Scheme+"://"+to.Host+"/apid/otp", nil)
	must(err)
	request.Header.Set("Authorization", "apikey _mm.benchmark.secret")
	response, err := client.Do(request)
	must(err)
	defer response.Body.Close()
	var body struct{ Otp string }
	must(json.NewDecoder(response.Body).Decode(&body))
	return body.Otp
}

func open(ctx context.Context) *websocket.Conn {
	to, err := url.Parse(*address)
	must(err)
	transport := &http.Transport{}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	client := &http.Client{Transport: transport}
	path := "/ws/v2/producer/persistent/public/default/benchmark"
	scheme := to.Scheme
	if strings.HasPrefix(scheme, "http") {
		path = "/_ws/ws/v2/producer/persistent/_mm/c8global._system/c8globals.benchmark?otp=" + oneTimePassword(client, to)
		scheme = "ws" + strings.TrimPrefix(scheme, "http")
	}
	socket, _, err := websocket.Dial(ctx, scheme+"://"+to.Host+path,
		&websocket.DialOptions{HTTPClient: client, CompressionMode: websocket.CompressionDisabled})
	must(err)
	return socket
}

type edge struct {
	time     time.Time
	cpu      time.Duration
	messages int64
}

func look(acknowledged int64) edge {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return edge{time.Now(), time.Duration(used.Utime.Nano() + used.Stime.Nano()), acknowledged}
}

type phase int

const (
	warming phase = iota
	measuring
	over
)

// The reader's.
type measurement struct {
	now          phase
	acknowledged int64
	begin, end   edge
	latencies    []float64
}

func (m *measurement) look() {
	share := 1.0
	if m.now == warming {
		share = 0.1
	}
	enough := *messages != 0 && float64(m.acknowledged-m.begin.messages) >= float64(*messages)*share
	if m.now == over || (!enough && time.Since(m.begin.time).Seconds() < *seconds*share) {
		return
	}
	if m.now == warming {
		m.begin, m.now = look(m.acknowledged), measuring
	} else {
		m.end, m.now = look(m.acknowledged), over
	}
}

func (m *measurement) print() {
	count := float64(m.end.messages - m.begin.messages)
	sort.Float64s(m.latencies)
	quantile := func(q float64) float64 {
		if len(m.latencies) == 0 {
			return 0
		}
		return m.latencies[int(q*float64(len(m.latencies)))]
	}
	secure := 0
	if strings.HasPrefix(*address, "https") || strings.HasPrefix(*address, "wss") {
		secure = 1
	}
	fmt.Printf(`{"mode":"go coder/websocket","tls":%d,"payload":%d,"window":%d,"messages":%.0f,"msgs_per_s":%.0f,`+
		`"cpu_ns_per_msg":%.1f,"p50_us":%.1f,"p99_us":%.1f,"p999_us":%.1f}`+"\n",
		secure, *size, *window, count, count/m.end.time.Sub(m.begin.time).Seconds(),
		float64(m.end.cpu-m.begin.cpu)/count, quantile(0.5), quantile(0.99), quantile(0.999))
}

func main() {
	flag.Parse()
	if *messages != 0 {
		*seconds = 3600
	}
	ctx := context.Background()
	socket := open(ctx)
	payload := makePayload(*size)
	stride := max(1, *window/16)         // of the latencies that are sampled
	between := max(1, *window/8)         // two looks at the clock
	room := make(chan struct{}, *window) // one in it for each message unanswered
	var stop atomic.Bool
	var mutex sync.Mutex
	sent := map[string]time.Time{}

	written := make(chan struct{})
	go func() {
		defer close(written)
		for number := 1; !stop.Load(); number++ {
			room <- struct{}{}
			text := strconv.Itoa(number)
			when := time.Time{}
			if number%stride == 0 {
				when = time.Now()
			}
			mutex.Lock()
			sent[text] = when
			mutex.Unlock()
			bytes, err := json.Marshal(message{payload, text})
			must(err)
			must(socket.Write(ctx, websocket.MessageText, bytes))
		}
	}()

	m := measurement{begin: look(0)}
	for {
		if m.now == over {
			stop.Store(true)
			select {
			case <-written:
				if len(room) == 0 {
					m.print()
					socket.Close(websocket.StatusNormalClosure, "")
					return
				}
			default:
				if len(room) == 0 { // the writer has one more before it looks
					time.Sleep(time.Millisecond)
					continue
				}
			}
		}
		_, bytes, err := socket.Read(ctx)
		must(err)
		var answer acknowledgement
		must(json.Unmarshal(bytes, &answer))
		mutex.Lock()
		when, known := sent[answer.Context]
		delete(sent, answer.Context)
		mutex.Unlock()
		if answer.Result != "ok" || !known {
			log.Fatalf("not an acknowledgement: %s", bytes)
		}
		<-room
		m.acknowledged++
		if m.now == measuring && !when.IsZero() {
			m.latencies = append(m.latencies, float64(time.Since(when).Nanoseconds())/1000)
		}
		if m.acknowledged%int64(between) == 0 {
			m.look()
		}
	}
}
