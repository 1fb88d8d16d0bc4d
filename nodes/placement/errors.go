package placement

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pingcap/kvproto/pkg/pdpb"

	"simrun/nodes/env"
)

// ErrUnavailable is returned by a Client when no member has served the request
// before its deadline. It is an env.ErrTimeout.
var ErrUnavailable = fmt.Errorf("placement is unavailable: %w", env.ErrTimeout)

// Error is an answer that says why a request was not served.
type Error struct {
	Type    pdpb.ErrorType
	Message string
}

func (e *Error) Error() string {
	return fmt.Sprintf("placement: %s (%s)", e.Message, strings.ToLower(e.Type.String()))
}

// IsTombstone reports whether err says that the store was removed from the
// cluster. It is so for good.
func IsTombstone(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Type == pdpb.ErrorType_STORE_TOMBSTONE
}

// notLeaderPrefix begins the message of a member that does not lead; the name
// of the member that does follows. The protocol has no type of error for it.
const notLeaderPrefix = "not leader, try "

func notLeader(leader string) *pdpb.Error {
	return &pdpb.Error{Type: pdpb.ErrorType_UNKNOWN, Message: notLeaderPrefix + leader}
}

// leaderHint returns the name of the leader, if err says that the member that
// was asked is not the one. The name is empty if it does not know it.
func leaderHint(err *pdpb.Error) (leader string, isNotLeader bool) {
	if err.GetType() != pdpb.ErrorType_UNKNOWN {
		return "", false
	}
	return strings.CutPrefix(err.GetMessage(), notLeaderPrefix)
}
