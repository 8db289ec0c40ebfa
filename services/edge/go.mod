module github.com/pona-realtime/pona/services/edge

go 1.26

replace (
	github.com/pona-realtime/pona/pkg => ../../pkg
	github.com/pona-realtime/pona/proto => ../../proto
)
