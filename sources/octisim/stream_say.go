package octisim

import (
	"math"
	"time"
)

// greet is the first message: where the log begins and ends. It has no id.
func (l *listener) greet() {
	log := &l.sim.log
	l.emit(message{event: "connected", data: jsonText(jsonObject{
		"firstEventId": log.first().String(), "lastEventId": log.last().String(),
		"firstEventDate": log.first().ms, "lastEventDate": log.last().ms,
		"streamSize": len(log.events), "connectionId": l.name,
	})})
}

// beat tells the position when it is time to, and since 6.9.18 how fast things go. Without a position
// there is nothing to tell.
func (l *listener) beat() {
	if l.now.Sub(l.beatAt) < l.sim.knobs.heartbeat() {
		return
	}
	l.beatAt = l.now
	if !l.known {
		return
	}
	at := l.at.String()
	l.emit(message{id: at, event: "heartbeat", data: jsonText(l.at.ms)})
	if l.sim.version.atLeast("6.9.18") {
		l.emit(message{id: at, event: "consumer_metrics", data: jsonText(jsonObject{
			"connectionId": l.name, "productionRate": l.rate(l.read), "deliveryRate": l.rate(l.delivered),
		})})
	}
}

// rate is a count per second since the connection began.
func (l *listener) rate(n int) float64 {
	seconds := max(l.now.Sub(l.began), time.Second).Seconds()
	return math.Round(float64(n)/seconds*100) / 100
}

// fail tells the client of a failure, where the version does (contract opencti-api 5.3): then the
// connection lives on and is useless. Before 6.9.18 it ends.
func (l *listener) fail(text string) {
	if !l.sim.version.atLeast("6.9.18") {
		l.finish(ended)
		return
	}
	l.emit(l.failure(text))
	l.useless = true
}

func (l *listener) failure(text string) message {
	return message{event: "error", data: jsonText(jsonObject{"stream": l.id, "message": text})}
}
