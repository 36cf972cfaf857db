package v3

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"pando/httpapi/auth"
	"pando/httpapi/service"
	"pando/members"
	"pando/tree"
)

// statusOfErrors maps errors to those of the API. Clients compare the code and the text.
var statusOfErrors = []struct{ err, status error }{
	{members.ErrIDExists, rpctypes.ErrGRPCMemberExist},
	{members.ErrIDNotFound, rpctypes.ErrGRPCMemberNotFound},
	{members.ErrIDRemoved, rpctypes.ErrGRPCMemberNotFound},
	{members.ErrPeerURLExists, rpctypes.ErrGRPCPeerURLExist},
	{members.ErrNotLearner, rpctypes.ErrGRPCMemberNotLearner},
	{members.ErrNotEnoughMembers, rpctypes.ErrGRPCMemberNotEnoughStarted},
	{members.ErrUnhealthy, rpctypes.ErrGRPCUnhealthy},
	{members.ErrTooManyLearners, rpctypes.ErrGRPCTooManyLearners},
	{members.ErrLearnerNotReady, rpctypes.ErrGRPCLearnerNotReady},
	{service.ErrLearnersNotUpgraded, status.Error(codes.Unavailable, service.ErrLearnersNotUpgraded.Error())},
	{service.ErrNotUpgraded, status.Error(codes.Unavailable, service.ErrNotUpgraded.Error())},
	{service.ErrUsersFollow, status.Error(codes.Unavailable, service.ErrUsersFollow.Error())},
	{service.ErrNoLeader, rpctypes.ErrGRPCNoLeader},
	{service.ErrNotLeader, rpctypes.ErrGRPCNotLeader},
	{service.ErrNotRoot, rpctypes.ErrGRPCPermissionDenied},
	{service.ErrReplaying, rpctypes.ErrGRPCTimeout},
	{service.ErrNotConfirmed, rpctypes.ErrGRPCTimeout},
	{service.ErrSnapshotBusy, rpctypes.ErrGRPCRequestTooManyRequests},
	{service.ErrDefragmentBusy, status.Error(codes.Unavailable, service.ErrDefragmentBusy.Error())},
	{service.ErrTooManyAttempts, rpctypes.ErrGRPCRequestTooManyRequests},
	{auth.ErrTooManyAttempts, rpctypes.ErrGRPCRequestTooManyRequests},
	{auth.ErrLongPassword, status.Error(codes.InvalidArgument, auth.ErrLongPassword.Error())},
	{context.Canceled, rpctypes.ErrGRPCCanceled},
	{context.DeadlineExceeded, rpctypes.ErrGRPCDeadlineExceeded},
}

// statusOfCodes maps the codes of errors of the tree to errors of the API.
var statusOfCodes = map[tree.Code]error{
	tree.CodeUnauthorized:   rpctypes.ErrGRPCPermissionDenied,
	tree.CodeQuotaExceeded:  rpctypes.ErrGRPCNoSpace,
	tree.CodeLeaderElection: rpctypes.ErrGRPCNoLeader,

	tree.CodeEmptyKey:         rpctypes.ErrGRPCEmptyKey,
	tree.CodeKeyMissing:       rpctypes.ErrGRPCKeyNotFound,
	tree.CodeValueProvided:    rpctypes.ErrGRPCValueProvided,
	tree.CodeLeaseProvided:    rpctypes.ErrGRPCLeaseProvided,
	tree.CodeTooManyOps:       rpctypes.ErrGRPCTooManyOps,
	tree.CodeDuplicateKey:     rpctypes.ErrGRPCDuplicateKey,
	tree.CodeInvalidSort:      rpctypes.ErrGRPCInvalidSortOption,
	tree.CodeCompacted:        rpctypes.ErrGRPCCompacted,
	tree.CodeFutureRevision:   rpctypes.ErrGRPCFutureRev,
	tree.CodeLeaseNotFound:    rpctypes.ErrGRPCLeaseNotFound,
	tree.CodeLeaseExists:      rpctypes.ErrGRPCLeaseExist,
	tree.CodeLeaseTTLTooLarge: rpctypes.ErrGRPCLeaseTTLTooLarge,

	tree.CodeUserEmpty:            rpctypes.ErrGRPCUserEmpty,
	tree.CodeUserExists:           rpctypes.ErrGRPCUserAlreadyExist,
	tree.CodeUserNotFound:         rpctypes.ErrGRPCUserNotFound,
	tree.CodeRoleEmpty:            rpctypes.ErrGRPCRoleEmpty,
	tree.CodeRoleExists:           rpctypes.ErrGRPCRoleAlreadyExist,
	tree.CodeRoleNotFound:         rpctypes.ErrGRPCRoleNotFound,
	tree.CodeRoleNotGranted:       rpctypes.ErrGRPCRoleNotGranted,
	tree.CodePermissionNotGranted: rpctypes.ErrGRPCPermissionNotGranted,
	tree.CodeRootUserNotFound:     rpctypes.ErrGRPCRootUserNotExist,
	tree.CodeRootRoleNotGranted:   rpctypes.ErrGRPCRootRoleNotExist,
	tree.CodeInvalidManagement:    rpctypes.ErrGRPCInvalidAuthMgmt,
	tree.CodeNoCredentials:        rpctypes.ErrGRPCUserEmpty, // as in the reference
	tree.CodeInvalidToken:         rpctypes.ErrGRPCInvalidAuthToken,
	tree.CodePermissionDenied:     rpctypes.ErrGRPCPermissionDenied,
	tree.CodeLoginFailed:          rpctypes.ErrGRPCAuthFailed,
	tree.CodeTooManyLogins:        rpctypes.ErrGRPCRequestTooManyRequests,
	tree.CodeAuthDisabled:         rpctypes.ErrGRPCAuthNotEnabled,
}

// toStatus returns the error that a client gets for an error of a method, which is not nil. ctx is that of the request. An error that is in
// no table is passed on with its text.
func toStatus(ctx context.Context, err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	if ctx.Err() != nil { // the log reports a request that its client has given up as one without an answer in time
		err = ctx.Err()
	}
	for _, line := range statusOfErrors {
		if errors.Is(err, line.err) {
			return line.status
		}
	}
	e, ok := errors.AsType[*tree.Error](err)
	if !ok {
		return status.Error(codes.Unknown, err.Error())
	}
	if s, ok := statusOfCodes[e.Code]; ok {
		return s
	}
	switch {
	case e.Code == tree.CodeKeyTooLong, e.Code == tree.CodeInvalidCompare:
		return status.Error(codes.InvalidArgument, e.Cause)
	case e.Code == tree.CodeResultTooLarge:
		return status.Error(codes.ResourceExhausted, e.Cause)
	case e.Code == tree.CodeFollowing:
		return status.Error(codes.Unavailable, e.Cause)
	case e.Code == tree.CodeRaftInternal && e.Cause == tree.CauseTimedOut:
		return rpctypes.ErrGRPCTimeout
	case e.Code == tree.CodeRaftInternal && e.Cause == tree.CauseStopped:
		return rpctypes.ErrGRPCStopped
	}
	return status.Error(codes.Unknown, e.Cause)
}
