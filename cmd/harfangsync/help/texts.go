package help

import "github.com/harfangsync/harfangsync/cmd/harfangsync/exit"

// interrupted stands for 130 and 143 in the codes of a text.
const interrupted = exit.Signal + 2

// Texts are what the help of each command teaches, by its full name.
var Texts = map[string]*Text{
	"plan": {
		"Reads OpenCTI and HarfangLab completely and prints what would change, with a reason for every line. Removals come first.\n" +
			"What is skipped or left alone is in the plan too. It writes nothing to either side.",
		[]string{
			"harfangsync plan",
			"harfangsync plan --out plan.json --detailed-exitcode  # exit 2: changes are pending; apply plan.json makes these very changes",
			"harfangsync plan --summary --only ioc --min-score 60  # only counts, of one kind, with another setting for once",
		},
		[]int{exit.Changes, exit.Usage, exit.Refused, exit.Stale, exit.Side, interrupted},
	},
	"apply": {
		"Applies a saved plan as it was approved, without asking; or makes a plan, shows it and asks. A rule that changed since the\n" +
			"plan was made is a conflict: it is left alone and named, and the rest is done.",
		[]string{
			"harfangsync apply  # shows the plan and takes only yes for an answer",
			"harfangsync apply plan.json --report report.json",
			"harfangsync apply --auto-approve --backup before  # restore before puts the rows back",
		},
		[]int{exit.Usage, exit.Refused, exit.Partly, exit.Stale, exit.Locked, exit.Side, interrupted},
	},
	"run": {
		"Does the whole job and never asks: plan, gates, apply, then alerts and threats back into OpenCTI, where their import is\n" +
			"on. It pulls even if a gate refused the plan.",
		[]string{
			"harfangsync run --log-format json",
			"harfangsync run --every 15m  # again and again, where no scheduler starts it",
			"harfangsync run --tail 10m  # and follows the live stream for ten minutes",
		},
		[]int{exit.Usage, exit.Refused, exit.Partly, exit.Stale, exit.Locked, exit.Side, interrupted},
	},
	"pull": {
		"Makes an incident of each new alert and a sighting on the indicators whose rule fired, and follows those it has made.\n" +
			"Needs harfanglab.import_security_events_as_incidents. An alert that OpenCTI has already is not imported again.",
		[]string{
			"harfangsync pull --dry-run  # what would be imported; writes nothing",
			"harfangsync pull --since 2026-01-01 --report alerts.json",
		},
		[]int{exit.Usage, exit.Partly, exit.Locked, exit.Side, interrupted},
	},
	"tail": {
		"Follows the stream that connector.live_stream_id names and brings each change to HarfangLab within seconds, through the\n" +
			"same plan and gates. Makes full runs and pulls by itself; whatever is doubtful leads to a full run. Ctrl-C ends it.",
		[]string{
			"harfangsync tail",
			"harfangsync tail --only ioc --tail-quiet 5s",
		},
		[]int{exit.Usage, exit.Refused, exit.Locked, exit.Side, interrupted},
	},
	"unblock": {
		"Takes a value out of force now and for a time, whoever wants it blocked: in any spelling, defanged too; a domain or an\n" +
			"address with the URLs on it, an address with the networks that hold it; or all that an indicator gives, by its id. It shows\n" +
			"the rules and asks, and refuses a slip and what covers too much. It needs no lock: a run or a tail at work leaves it out as\n" +
			"well. Every plan names it until it is over.",
		[]string{
			"harfangsync unblock 'cdn[.]example[.]net' --reason 'ticket 4711: our own CDN'  # for a week",
			"harfangsync unblock 198.51.100.7 --for 4h --reason 'scanner of the audit' --auto-approve",
			"harfangsync unblock --list",
		},
		[]int{exit.Usage, exit.Partly, exit.Side, interrupted},
	},
	"block": {
		"Ends an unblock before its time. The next run brings the value back, if an indicator still wants it and nothing holds it; a tail\n" +
			"at work does so within two minutes. Other unblocks that keep it out all the same are named.",
		[]string{
			"harfangsync block cdn.example.net",
		},
		[]int{exit.Usage, exit.Partly, exit.Side, interrupted},
	},
	"show": {
		"Prints a saved plan in any form. Needs no settings and no network.",
		[]string{
			"harfangsync show plan.json",
			"harfangsync show plan.json --format markdown  # for a pull request",
			"harfangsync show plan.json --format html >plan.html  # for a browser: search and filter",
		},
		[]int{exit.Usage, exit.Stale},
	},
	"explain": {
		"Answers why something is blocked, or why not. A value or an indicator is looked up on both sides: of a value, in any\n" +
			"spelling, the first line is the verdict and the last says how to change it. Patterns and files need no settings and no network.",
		[]string{
			"harfangsync explain --value c2.loader.example",
			`harfangsync explain --pattern "[domain-name:value LIKE '%.dga.example']"`,
			"harfangsync explain --patterns patterns.txt --json  # one pattern a line; - is stdin",
			"harfangsync explain --file rule.yml  # a Sigma or YARA rule",
		},
		[]int{exit.Usage, exit.Side, interrupted},
	},
	"migrate": {
		"Reads docker-compose.yml, env files or config.yml of the connectors harfanglab, harfanglab-intel and harfanglab-incidents, and\n" +
			"writes settings, secrets as files, a compose file, a CronJob and CHECKLIST.md: what changes, each step, the way back.",
		[]string{
			"harfangsync migrate docker-compose.yml --out new",
			"harfangsync migrate docker-compose.yml --service connector-harfanglab --out new --force  # one of several, over an earlier try",
		},
		[]int{exit.Usage},
	},
	"snapshot": {
		"Writes what OpenCTI's filter lets through to a file, from which plan, apply and run work where OpenCTI cannot be reached,\n" +
			"or for many managers. Needs the settings of OpenCTI alone.",
		[]string{
			"harfangsync snapshot --out wanted.gz",
			"harfangsync plan --from wanted.gz",
		},
		[]int{exit.Usage, exit.Side, interrupted},
	},
	"dump": {
		"Writes the rules of the lists to files that restore reads, whoever made them.",
		[]string{
			"harfangsync dump lists-of-today",
			"harfangsync dump rules --only sigma,yara",
		},
		[]int{exit.Usage, exit.Side, interrupted},
	},
	"restore": {
		"Makes rules again, and sets them back, as a dump or a backup holds them: with a plan, gates and a question, like apply.\n" +
			"Removes nothing, unless --exact says so.",
		[]string{
			"harfangsync restore lists  # shows the plan and asks",
			"harfangsync restore lists --exact --auto-approve  # also removes our rules that the dump lacks",
		},
		[]int{exit.Usage, exit.Refused, exit.Partly, exit.Stale, exit.Locked, exit.Side, interrupted},
	},
	"doctor": {
		"Tries everything that a run needs: settings, names, certificates, versions, rights, lists, stream, clocks, state and lock.\n" +
			"Each failure names its remedy. It writes nothing.",
		[]string{
			"harfangsync doctor",
			"harfangsync doctor --json",
		},
		[]int{exit.Usage, exit.Side, interrupted},
	},
	"config validate": {
		"Reports every problem of the settings at once, each with where it comes from and what to do. Asks no platform.",
		[]string{
			"harfangsync config validate",
			"harfangsync config validate --config config.yml",
		},
		[]int{exit.Usage},
	},
	"config print": {
		"Prints the settings that are in effect and where each comes from. Secrets are masked.",
		[]string{
			"harfangsync config print",
			"harfangsync config print --policy upsert-only  # as they would be with this flag",
		},
		[]int{exit.Usage},
	},
	"config schema": {
		"Prints a JSON Schema, by which editors complete and check config.yml.",
		[]string{"harfangsync config schema >config.schema.json"},
		nil,
	},
	"simulate": {
		"Serves an OpenCTI and a HarfangLab with sample data on this machine, to try things against. Ctrl-C ends it.",
		[]string{
			"harfangsync simulate --env sim.env  # then, elsewhere: set -a; . ./sim.env; harfangsync plan",
			"harfangsync simulate --indicators indicators.jsonl --latency 50ms",
		},
		[]int{exit.Usage},
	},
	"demo": {
		"Plays the job against simulators: a first load, a change on each side, and what the next plan makes of it.",
		[]string{
			"harfangsync demo",
			"harfangsync demo --tail  # the lists following the live stream",
		},
		nil,
	},
	"completion": {
		"Prints a script by which a shell completes commands, flags and the values of flags.",
		[]string{
			"source <(harfangsync completion bash)  # in ~/.bashrc",
			"harfangsync completion zsh >_harfangsync  # into a directory of $fpath",
			"harfangsync completion fish >harfangsync.fish  # into ~/.config/fish/completions",
		},
		[]int{exit.Usage},
	},
	"version": {
		"Prints the version, the commit and the Go that built it, and the format of the plans it reads.",
		[]string{"harfangsync version"},
		nil,
	},
}
