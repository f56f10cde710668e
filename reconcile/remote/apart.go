package remote

// Apart asks for some things together, if there are any, and where that fails for each half of them, down to single ones: one
// that fails alone is told to bad. alone says of a failure whether one of the things asked for may be to blame for it. Any other
// failure, and one of bad, ends it.
func Apart[T any](all []T, ask func([]T) error, alone func(error) bool, bad func(T, error) error) error {
	if len(all) == 0 {
		return nil
	}
	err := ask(all)
	switch {
	case err == nil || !alone(err):
		return err
	case len(all) == 1:
		return bad(all[0], err)
	}
	half := len(all) / 2
	if err := Apart(all[:half], ask, alone, bad); err != nil {
		return err
	}
	return Apart(all[half:], ask, alone, bad)
}
