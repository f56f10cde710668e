package opencti

import _ "embed"

// The documents of contract opencti-api 2.1, 2.4, 4, 5.6, 6 and 12.3, one file each. All of them run on
// every version from 5.12.24 but three: the full identity check is for 6.0.0 and later, the ping with
// information for 6.2.12 and later, the position of the stream for 6.8.0 and later.
var (
	//go:embed queries/ident.graphql
	identDoc string
	//go:embed queries/ident_reduced.graphql
	identReducedDoc string
	//go:embed queries/stream.graphql
	streamDoc string
	//go:embed queries/stream_position.graphql
	streamPositionDoc string
	//go:embed queries/page.graphql
	pageDoc string
	//go:embed queries/find.graphql
	findDoc string
	//go:embed queries/indicator.graphql
	indicatorDoc string
	//go:embed queries/based_on.graphql
	basedOnDoc string
	//go:embed queries/state.graphql
	stateDoc string
	//go:embed queries/register.graphql
	registerDoc string
	//go:embed queries/ping.graphql
	pingDoc string
	//go:embed queries/ping_info.graphql
	pingInfoDoc string
)
