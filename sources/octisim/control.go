package octisim

import (
	"encoding/json"
	"net/http"
)

// controls serves what another process asks of the simulator, beside what simhttp serves:
//
//	GET  /_sim/held        a Held
//	PUT  /_sim/indicators  a list of Indicator, each as Put takes it
//	PUT  /_sim/streams     a Stream, live unless said otherwise
func (s *Sim) controls(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sim/held", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Held())
	})
	mux.HandleFunc("PUT /_sim/indicators", func(w http.ResponseWriter, r *http.Request) {
		var in []Indicator
		if !take(w, r, &in) {
			return
		}
		for _, i := range in {
			if s.Put(i) == "" {
				http.Error(w, errTaken.Error()+": "+i.Pattern, http.StatusConflict)
				return
			}
		}
	})
	mux.HandleFunc("PUT /_sim/streams", func(w http.ResponseWriter, r *http.Request) {
		in := Stream{Live: true}
		if take(w, r, &in) {
			s.PutStream(in)
		}
	})
}

// take reads a JSON body, or answers 400.
func take(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(r.Body).Decode(into)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}
