// Package deploy holds the files that harfangsync is deployed with, for whoever makes others of them.
package deploy

import _ "embed"

// CronJob is the manifest of the job, and Compose the service of a docker-compose.yml.
var (
	//go:embed cronjob.yaml
	CronJob []byte
	//go:embed docker-compose.yml
	Compose []byte
)
