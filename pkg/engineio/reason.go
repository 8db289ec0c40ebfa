package engineio

import "errors"

// Reason says why a session ended, in the reference server's words.
type Reason string

// The reasons of the reference, and one of ours.
const (
	ReasonPingTimeout        Reason = "ping timeout"
	ReasonTransportClose     Reason = "transport close"
	ReasonTransportError     Reason = "transport error"
	ReasonParseError         Reason = "parse error"
	ReasonForcedClose        Reason = "forced close"
	ReasonServerShuttingDown Reason = "server shutting down"
	ReasonSlowConsumer       Reason = "slow consumer"
)

// reasons are all of them: a session ends for one of these.
var reasons = [...]Reason{
	ReasonPingTimeout, ReasonTransportClose, ReasonTransportError, ReasonParseError, ReasonForcedClose,
	ReasonServerShuttingDown, ReasonSlowConsumer,
}

// ErrServerClosed refuses what comes after Server.Close.
var ErrServerClosed = errors.New("engineio: server closed")
