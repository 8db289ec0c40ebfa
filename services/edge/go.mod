module github.com/pona-realtime/pona/services/edge

go 1.26.0

replace (
	github.com/pona-realtime/pona/pkg => ../../pkg
	github.com/pona-realtime/pona/proto => ../../proto
)

require (
	github.com/maypok86/otter/v2 v2.4.0
	go.uber.org/goleak v1.3.0
	golang.org/x/net v0.62.0
)

require golang.org/x/text v0.43.0 // indirect
