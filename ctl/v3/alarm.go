package v3

import (
	"context"

	"github.com/urfave/cli/v2"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"pando/ctl/v3/client"
)

func (p *program) alarmCommands() *cli.Command {
	return p.group(&cli.Command{
		Name: "alarm", Usage: "alarms of members: list, disarm",
		Subcommands: []*cli.Command{p.alarmListCommand(), p.alarmDisarmCommand()},
		Description: p.examples(
			`alarm list`, "NOSPACE: a member has no room left; writes are refused",
			`alarm disarm`, "allow writes again, after room was made"),
	})
}

func (p *program) alarmListCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "list", Usage: "list all alarms", ArgsUsage: " ",
		Action: p.withArguments(0, "alarm list command accepts no arguments", func(ctx context.Context, cl *client.Client, _ []string) error {
			r, err := cl.Maintenance.Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_GET})
			if err != nil {
				return err
			}
			return p.print(alarmAnswer(r))
		}),
	}, answerFormats...)
}

func (p *program) alarmDisarmCommand() *cli.Command {
	return p.command(&cli.Command{
		Name: "disarm", Usage: "end all alarms", ArgsUsage: " ",
		Action: p.withArguments(0, "alarm disarm command accepts no arguments", func(ctx context.Context, cl *client.Client, _ []string) error {
			armed, err := cl.Maintenance.Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_GET})
			if err != nil {
				return err
			}
			disarmed := &pb.AlarmResponse{}
			for _, a := range armed.Alarms {
				r, err := cl.Maintenance.Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: a.MemberID, Alarm: a.Alarm})
				if err != nil {
					return err
				}
				disarmed.Alarms = append(disarmed.Alarms, r.Alarms...)
			}
			return p.print(alarmAnswer(disarmed))
		}),
	}, answerFormats...)
}

func alarmAnswer(r *pb.AlarmResponse) answer {
	return answer{
		message: r,
		simple: func(t *text) {
			for _, a := range r.Alarms {
				t.linef("memberID:%d alarm:%v ", a.MemberID, a.Alarm)
			}
		},
		fields: func(t *text) {
			t.header(r.Header)
			for _, a := range r.Alarms {
				t.id("MemberID", a.MemberID, "%x")
				t.field("AlarmType", a.Alarm)
				t.linef("")
			}
		},
	}
}
