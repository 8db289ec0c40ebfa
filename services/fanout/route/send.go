package route

import (
	"time"

	"google.golang.org/grpc"

	edgev1 "github.com/pona-realtime/pona/proto/pona/edge/v1"
)

// A Batch ends before one of these is exceeded; a larger event goes alone.
const (
	batchBytes      = 512 << 10
	batchDeliveries = 1024
)

// keptItems bounds the list that a sender keeps for the next round.
const keptItems = 4096

// send writes what gathers for the edge until the edge or the stream ends.
func send(stream grpc.BidiStreamingServer[edgev1.DeliverRequest, edgev1.DeliverResponse], e *Edge) error {
	var spare []item
	for {
		items, ended := e.take(spare)
		if items == nil {
			if ended != nil {
				return ended
			}
			select {
			case <-e.wake:
				continue
			case <-stream.Context().Done():
				return stream.Context().Err()
			}
		}
		for rest := items; len(rest) > 0; {
			message, count, size := next(rest)
			if err := stream.Send(message); err != nil {
				return err
			}
			e.sent(size)
			e.measured.sent(message.GetBatch(), size)
			rest = rest[count:]
		}
		clear(items)
		if spare = items; cap(spare) > keptItems {
			spare = nil
		}
	}
}

// next makes one message of the first of items, how many they are, and what they weigh.
func next(items []item) (message *edgev1.DeliverResponse, count, size int) {
	if items[0].message != nil {
		return items[0].message, 1, items[0].size
	}
	for count < len(items) && items[count].delivery != nil && count < batchDeliveries {
		if count > 0 && size+items[count].size > batchBytes {
			break
		}
		size += items[count].size
		count++
	}
	deliveries := make([]*edgev1.Delivery, count)
	for i := range deliveries {
		deliveries[i] = items[i].delivery
	}
	return &edgev1.DeliverResponse{Message: &edgev1.DeliverResponse_Batch{
		Batch: &edgev1.Batch{Deliveries: deliveries, SentAtNs: time.Now().UnixNano()},
	}}, count, size
}
