// Command guess sends wrong passwords for one user over several connections, as an attacker does: each connection sends the next
// password as soon as the last one was answered. It prints how many requests got each status.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"time"
)

func main() {
	url := flag.String("url", "", "what is asked for, such as http://127.0.0.1:2379/v2/keys/a")
	user := flag.String("user", "root", "whose password is guessed")
	conns := flag.Int("conns", 20, "connections")
	duration := flag.Duration("duration", 10*time.Second, "how long")
	flag.Parse()
	end := time.Now().Add(*duration)
	var mu sync.Mutex
	statuses := map[int]int{}
	var running sync.WaitGroup
	for c := range *conns {
		running.Go(func() {
			client := &http.Client{Transport: &http.Transport{}} // a connection of its own
			for i := 0; time.Now().Before(end); i++ {
				status, err := try(client, *url, *user, fmt.Sprintf("wrong-%d-%d", c, i))
				if err != nil {
					log.Print(err)
					return
				}
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	running.Wait()
	fmt.Println("statuses:", statuses)
}

// try sends one password and returns the status of the answer.
func try(client *http.Client, url, user, password string) (int, error) {
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	r.SetBasicAuth(user, password)
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}
