package octisim

// Work is a work of a connector as it stands.
type Work struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Connector string      `json:"connector"`
	Complete  bool        `json:"complete"`
	Expected  int         `json:"expected"` // objects
	Processed int         `json:"processed"`
	Messages  []string    `json:"messages,omitempty"`
	Errors    []WorkError `json:"errors,omitempty"` // the first 100
}

// WorkError is what went wrong with one object: a message that begins with the code, and the object as
// it was pushed.
type WorkError struct {
	Message string `json:"message"`
	Source  string `json:"source"`
}

// Works is every work that is still there, oldest first.
func (s *Sim) Works() []Work {
	s.lock()
	defer s.mu.Unlock()
	out := []Work{}
	for _, w := range s.workList() {
		one := Work{ID: w.ID, Name: w.Name, Connector: w.connector, Complete: w.Completed != never, Expected: count(w.Expected), Processed: count(w.Done)}
		for _, m := range w.Messages {
			one.Messages = append(one.Messages, m.Text)
		}
		for _, e := range w.Errors {
			one.Errors = append(one.Errors, WorkError{e.Text, e.Source})
		}
		out = append(out, one)
	}
	return out
}

// DeleteWork deletes a work, as an administrator does. A bundle of it that waits is dropped when its
// time comes. It is false for an unknown id.
func (s *Sim) DeleteWork(id string) bool {
	s.lock()
	defer s.mu.Unlock()
	w := s.work(id)
	s.forget(func(x *work) bool { return x == w })
	return w != nil
}
