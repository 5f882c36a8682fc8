// Go's net/http: a goroutine each, which starts when the head is in; one mutex round each step.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

type cart struct {
	Id   string `json:"id"`
	Name string `json:"name"`
}

var (
	mutex sync.Mutex
	names = map[string]string{}
	order []string
	made  int
)

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if body != nil {
		json.NewEncoder(w).Encode(body)
	}
}

func racy(r *http.Request) bool { return r.Header.Get("X-Racy") != "" }

// gap lets others in, in the racy twin; the mutex is held by the caller.
func gap(r *http.Request) {
	if racy(r) {
		mutex.Unlock()
		time.Sleep(3 * time.Millisecond)
		mutex.Lock()
	}
}

func collection(w http.ResponseWriter, r *http.Request) {
	if r.Method == "GET" {
		mutex.Lock()
		items := []cart{}
		for _, id := range order {
			if name, there := names[id]; there {
				items = append(items, cart{id, name})
			}
		}
		mutex.Unlock()
		say(w, 200, map[string]any{"items": items})
		return
	}
	var said cart
	json.NewDecoder(r.Body).Decode(&said)
	mutex.Lock()
	made++
	said.Id = fmt.Sprint(made)
	names[said.Id] = said.Name
	order = append(order, said.Id)
	if len(order) > 200 { // forget those that are gone
		kept := order[:0]
		for _, id := range order {
			if _, there := names[id]; there {
				kept = append(kept, id)
			}
		}
		order = kept
	}
	mutex.Unlock()
	say(w, 201, said)
}

func one(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	id := parts[2]
	mutex.Lock()
	name, there := names[id]
	if there && (r.Method == "DELETE" || len(parts) == 4) { // its body is never looked at
		gap(r)
		delete(names, id)
		mutex.Unlock()
		say(w, 200, map[string]any{})
		return
	}
	mutex.Unlock()
	if !there {
		say(w, 404, map[string]any{"error": "gone"})
		return
	}
	if r.Method == "GET" {
		say(w, 200, cart{id, name})
		return
	}
	var said cart
	json.NewDecoder(r.Body).Decode(&said)
	mutex.Lock()
	gap(r)
	if _, still := names[id]; still || racy(r) { // UPDATE … WHERE id = …
		names[id] = said.Name
	}
	mutex.Unlock()
	say(w, 200, cart{id, said.Name})
}

func main() {
	http.HandleFunc("/carts", collection)
	http.HandleFunc("/carts/", one)
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil); err != nil {
		panic(err)
	}
}
