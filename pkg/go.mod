module github.com/pona-realtime/pona/pkg

go 1.26.0

replace github.com/pona-realtime/pona/proto => ../proto

require (
	github.com/alecthomas/kong v1.17.0
	github.com/pona-realtime/pona/proto v0.0.0-00010101000000-000000000000
	github.com/tidwall/gjson v1.20.1
)

require (
	github.com/agnivade/levenshtein v1.2.2 // indirect
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.0 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
