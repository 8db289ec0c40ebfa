module github.com/pona-realtime/pona/services/devstack

go 1.26.0

replace (
	github.com/pona-realtime/pona/pkg => ../../pkg
	github.com/pona-realtime/pona/proto => ../../proto
	github.com/pona-realtime/pona/services/edge => ../../services/edge
	github.com/pona-realtime/pona/services/fanout => ../../services/fanout
)

require (
	github.com/cenkalti/backoff/v5 v5.0.3
	github.com/pona-realtime/pona/proto v0.0.0-00010101000000-000000000000
	go.uber.org/goleak v1.3.0
	golang.org/x/sync v0.24.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
)
