"""Sessions at the docker command line, to be had with any daemon, as data.

A session is a few commands, run in order against one daemon.  A command is
what follows ``docker``, in a shell's quoting; ``stdin`` is written to it and
closed.  ``$IT`` is the session's container name.  What the commands say is
compared between daemons, after ``normal`` has taken away what no two runs share.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli import Answer, DockerCli


@dataclass(frozen=True)
class Command:
    line: str
    stdin: str = ""

    def argv(self, container: str) -> list[str]:
        return [word.replace("$IT", container) for word in shlex.split(self.line)]


def command(line: str | tuple[str, str]) -> Command:
    return Command(line) if isinstance(line, str) else Command(line[0], line[1])


RUN = "run --rm --net none"
START = "run -d --net none --name $IT"
FOREVER = "sh -c 'trap : USR1; while :; do sleep 0.02; done'"
STATE = (
    "inspect -f '{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.OOMKilled}}' $IT"
)

SESSIONS: dict[str, tuple[str | tuple[str, str], ...]] = {
    # What the exit code says.
    "exit code of the program": (f"{RUN} busybox true", f"{RUN} busybox sh -c 'exit 42'"),
    "exit code of a signal": (
        f"{RUN} busybox sh -c 'sh -c \"kill -9 \\$\\$\"'",
        f"{RUN} --init busybox sh -c 'kill -TERM $$'",
        f"{RUN} --init busybox sh -c 'kill -KILL $$'",
    ),
    "no such program": (f"{RUN} busybox nope", f"{RUN} busybox /no/such/program"),
    "a relative program": (f"{RUN} -w /bin busybox ./busybox true", f"{RUN} busybox bin/nope"),
    "not executable": (f"{RUN} busybox /etc/not-a-program", f"{RUN} busybox /etc"),
    "no interpreter": (f"{RUN} busybox /etc/no-interpreter",),
    "left behind by a failed start": (
        "run --name $IT --net none busybox nope",
        "inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}' $IT",
    ),
    "no such image": (f"{RUN} --pull never no-such-image true", "image inspect no-such-image"),
    "bad image name": (f"{RUN} Busybox true", f"{RUN} busybox:bad:tag true"),
    # Flags with a wrong value.
    "bad flags": (
        f"{RUN} -m 1m busybox true",
        f"{RUN} --cap-add NOPE busybox true",
        f"{RUN} --security-opt nope busybox true",
        f"{RUN} --device /dev/nope busybox true",
        f"{RUN} -v relative:/x busybox true",
        f"{RUN} -v /x:relative busybox true",
        f"{RUN} --mount type=bind,source=/no/such,target=/x busybox true",
        f"{RUN} --pids-limit 0 busybox true",
        f"{RUN} --cpus 1000 busybox true",
        f"{RUN} --cpuset-cpus 999 busybox true",
        f"{RUN} --ulimit nope=1 busybox true",
        f"{RUN} --sysctl nope=1 busybox true",
        f"{RUN} --sysctl kernel.nope=1 busybox true",
        f"{RUN} --restart nope busybox true",
        f"{RUN} --memory 64m --memory-swap 32m busybox true",
        f"{RUN} --name 'bad name' busybox true",
        f"{RUN} --stop-signal NOPE busybox true",
        f"{RUN} --env-file /no/such/file busybox true",
        f"{RUN} -w relative busybox true",
        f"{RUN} --net container:nobody busybox true",
        f"{RUN} --pid container:nobody busybox true",
        f"{RUN} --ipc container:nobody busybox true",
        f"{RUN} --oom-score-adj 2000 busybox true",
        f"{RUN} --runtime nope busybox true",
        f"{RUN} --log-driver nope busybox true",
        f"{RUN} --blkio-weight 5 busybox true",
        f"{RUN} --restart always busybox true",
    ),
    # Who, where, with what.
    "users": (
        f"{RUN} -u app busybox id",
        f"{RUN} -u 1000 busybox id",
        f"{RUN} -u app:extra busybox id",
        f"{RUN} -u 4242:4343 busybox id",
        f"{RUN} --group-add wheel --group-add 77 -u app busybox id",
        f"{RUN} -u nobody-here busybox id",
        f"{RUN} -u app:no-such-group busybox id",
        f"{RUN} -u 99999999999 busybox id",
        f"{RUN} -u app busybox sh -c 'echo $HOME'",
    ),
    "working directory": (
        f"{RUN} -w /tmp busybox pwd",
        f"{RUN} -w /made/for/it busybox pwd",
        f"{RUN} -w /etc/passwd busybox pwd",
    ),
    "environment": (
        f"{RUN} -e A=1 -e B= -e A=2 -e WITH='a b' busybox sh -c 'echo $A,$B,$WITH'",
        f"{RUN} -e PATH=/nowhere busybox true",
        f"{RUN} -e HOSTNAME=mine --hostname other busybox sh -c 'echo $HOSTNAME; hostname'",
    ),
    "entrypoint": (
        f"{RUN} --entrypoint echo busybox a b",
        f"{RUN} --entrypoint '' busybox echo c",
        f"{RUN} --entrypoint /bin/sh busybox -c 'echo $0'",
    ),
    "arguments are not a shell's": (f"{RUN} busybox echo '$HOME' 'a  b' '' '*'",),
    # Streams.
    "half-closed standard input": (
        (f"{RUN} -i busybox cat", "hi\n"),
        (f"{RUN} -i busybox wc -c", "x" * 100_000),
        (f"{RUN} -i busybox sh -c 'cat >/dev/null; echo after the end'", "hi\n"),
        (f"{RUN} -i busybox sh -c 'read a; echo got $a'", "one\ntwo\n"),
        (f"{RUN} busybox cat", "not attached\n"),
        (f"{RUN} -i busybox true", "x" * 100_000),
    ),
    "two streams": (
        f"{RUN} busybox sh -c 'echo out; echo err >&2'",
        f"{RUN} -a stdout busybox sh -c 'echo out; echo err >&2'",
        f"{RUN} -a stderr busybox sh -c 'echo out; echo err >&2'",
    ),
    "a terminal": (f"{RUN} -t busybox sh -c 'echo line; tty; stty size'",),
    "much output": (f"{RUN} busybox sh -c 'yes 0123456789 | head -n 200000 | sha1sum; seq 20000'",),
    # A life.
    "life": (
        "create --name $IT --net none busybox sh -c 'echo hello; exit 3'",
        STATE,
        "start -a $IT",
        STATE,
        "start $IT",
        "wait $IT",
        "logs $IT",
        "rm $IT",
        "rm $IT",
        "start $IT",
    ),
    "stop": (
        f"{START} busybox sh -c 'trap \"echo bye; exit 7\" TERM; while :; do sleep 0.02; done'",
        "stop $IT",
        STATE,
        "logs $IT",
        "stop $IT",
    ),
    "stop that needs a kill": (f"{START} busybox sleep 1000", "stop -t 0 $IT", STATE),
    "stop signal": (
        f"{START} --stop-signal INT busybox"
        " sh -c 'trap \"exit 9\" INT; while :; do sleep 0.02; done'",
        "stop $IT",
        STATE,
    ),
    "kill": (
        f"{START} busybox {FOREVER}",
        "kill -s USR1 $IT",
        STATE,
        "kill -s NOPE $IT",
        "kill -s 0 $IT",
        "kill $IT",
        "wait $IT",
        STATE,
        "kill $IT",
    ),
    "pause": (
        f"{START} busybox {FOREVER}",
        "pause $IT",
        STATE,
        "pause $IT",
        "exec $IT true",
        "stop -t 0 $IT",
        "unpause $IT",
        "unpause $IT",
        STATE,
    ),
    "pause what does not run": ("create --name $IT busybox true", "pause $IT", "unpause $IT"),
    "restart": (
        f"{START} busybox sh -c 'echo up; trap \"exit 0\" TERM; while :; do sleep 0.02; done'",
        "restart $IT",
        STATE,
        "stop $IT",
        "logs $IT",
    ),
    "remove": (
        f"{START} busybox {FOREVER}",
        "rm $IT",
        "rm -f $IT",
        "inspect $IT",
        "rm -f $IT",
    ),
    "rename": (
        "create --name $IT busybox true",
        "rename $IT $IT-other",
        "inspect -f '{{.Name}}' $IT-other",
        "rename $IT nothing",
        "rename $IT-other 'bad name'",
        "rename $IT-other $IT",
        "rename $IT $IT",
    ),
    "a name that is taken": ("create --name $IT busybox true", "create --name $IT busybox true"),
    "exec": (
        f"{START} -e FROM=run -w /tmp -u app busybox {FOREVER}",
        "exec $IT sh -c 'exit 5'",
        "exec $IT sh -c 'echo out; echo err >&2'",
        ("exec -i $IT cat", "through\n"),
        "exec $IT sh -c 'id; pwd; echo $FROM'",
        "exec -u 0 -w / -e MORE=1 $IT sh -c 'id -u; pwd; echo $FROM $MORE'",
        "exec $IT nope",
        "exec $IT /etc/passwd",
        "exec -u nobody-here $IT true",
        "exec -w /no/such $IT pwd",
        "exec -d $IT true",
        "exec -t $IT tty",
        "exec --privileged $IT grep CapEff /proc/self/status",
        "exec -u 0 $IT grep -E 'Cap|Seccomp:|NoNew' /proc/self/status",
        "exec $IT sh -c 'kill -9 $$'",
        "stop -t 0 $IT",
        "exec $IT true",
        "exec $IT-nobody true",
    ),
    "top": (
        f"{START} busybox sleep 1000",
        "top $IT -o pid,comm",
        "top $IT -o comm",
        "top $IT -o nope",
        "stop -t 0 $IT",
        "top $IT",
    ),
    "logs": (
        "run --name $IT --net none busybox sh -c 'seq 5; echo err >&2'",
        "logs $IT",
        "logs --tail 2 $IT",
        "logs --tail 0 $IT",
        "logs -f $IT",
        "logs --since 2100-01-01T00:00:00Z $IT",
        "logs --until 2001-01-01T00:00:00Z $IT",
        "logs $IT-nobody",
    ),
    "logs of a driver without any": (
        "run --name $IT --log-driver none --net none busybox echo unheard",
        "logs $IT",
    ),
    "removed by itself": (
        "run --rm -d --name $IT --net none busybox true",
        "wait $IT-nobody",
    ),
    "out of memory": (
        "run --name $IT --net none -m 16m --memory-swap 16m busybox"
        " sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1; true'",
        "run --name $IT-2 --net none -m 16m --memory-swap 16m busybox tail /dev/zero",
        "inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' $IT-2",
    ),
    "init": (
        f"{RUN} --init busybox sh -c 'ps -o pid,args | head -3; exit 6'",
        f"{START} --init busybox sleep 1000",
        "stop $IT",
        STATE,
    ),
    "read-only": (
        f"{RUN} --read-only busybox sh -c 'echo x > /file'",
        f"{RUN} --read-only --tmpfs /tmp busybox sh -c 'echo x > /tmp/file && echo written'",
    ),
    "bind mounts": (
        f"{RUN} -v /etc:/host:ro busybox sh -c 'echo x > /host/x'",
        f"{RUN} -v /etc/passwd:/one:ro busybox sh -c 'head -c 4 /one'",
        f"{RUN} -v /etc/passwd:/etc/group/below:ro busybox true",
    ),
    "limits": (
        f"{RUN} -m 64m busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes",
        f"{RUN} --pids-limit 40 busybox cat /sys/fs/cgroup/pids/pids.max",
        f"{RUN} --cpus 0.5 busybox cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us",
        f"{RUN} --cpu-shares 512 busybox cat /sys/fs/cgroup/cpu/cpu.shares",
        f"{RUN} --cpuset-cpus 0 busybox sh -c 'nproc; cat /sys/fs/cgroup/cpuset/cpuset.cpus'",
        f"{RUN} --ulimit nofile=50:60 busybox sh -c 'ulimit -Sn; ulimit -Hn'",
        f"{RUN} --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6; do sleep 1 & done'",
    ),
    "names of containers": (
        "create --name $IT busybox true",
        "inspect -f '{{.Name}}' $IT",
        "inspect nobody-here",
        "ps -a --filter name=$IT --format '{{.Names}} {{.Image}} {{.Command}} {{.State}}'",
        "ps -a --filter name=$IT --format '{{.Names}} {{.Ports}} {{.Status}}'",
        "ps -aq --no-trunc --filter name=$IT",
    ),
    "ps of a life": (
        f"{START} busybox sleep 1000",
        "ps --filter name=$IT",
        "ps --filter name=$IT --format '{{.Names}} {{.State}} {{.Networks}} {{.Mounts}}'",
        "ps --filter name=$IT --format '{{.Status}}|{{.Labels}}|{{.RunningFor}}|{{.Size}}'",
        "stop -t 0 $IT",
        "ps --filter name=$IT",
        "ps -a --filter name=$IT --filter exited=137 --format '{{.Names}} {{.State}}'",
        "ps -a --filter status=nope",
        "ps --filter nope=1",
    ),
    "inspect": (
        "create --name $IT --net none -e A=1 -w /tmp -u app --label k=v -m 64m --read-only"
        " --cap-add SYS_TIME --restart on-failure:3 -t -i busybox echo hi",
        "inspect -f '{{json .Config}}' $IT",
        "inspect -f '{{json .HostConfig}}' $IT",
        "inspect -f '{{json .State}}' $IT",
        "inspect -f '{{json .Mounts}} {{json .Args}} {{.Path}} {{.Driver}} {{.Platform}}' $IT",
        "inspect -f '{{json .NetworkSettings}}' $IT",
        "inspect -f '{{.RestartCount}} {{.AppArmorProfile}} {{.ExecIDs}} {{.MountLabel}}' $IT",
    ),
    "images": (
        "images --format '{{.Repository}}:{{.Tag}}' busybox",
        "tag busybox $IT:one",
        "images --format '{{.Repository}}:{{.Tag}}' $IT",
        "tag busybox 'Bad Name'",
        "tag nothing-here $IT:two",
        "rmi $IT:one",
        "rmi $IT:one",
    ),
    "attach": (
        # Slowly: dockerd may lose what a program says as it ends, when attached to late.
        "run --rm -d -i --name $IT --net none busybox"
        " sh -c 'read line; sleep 0.3; echo got $line; sleep 0.3; exit 4'",
        ("attach $IT", "typed\n"),
        "attach $IT",
    ),
    "wait": (f"{START} busybox sh -c 'exit 11'", "wait $IT", "wait $IT $IT", "wait nobody-here"),
}


def play(docker: DockerCli, name: str, container: str) -> list[tuple[str, Answer]]:
    """Run the session against the daemon; whatever containers it made are removed."""
    said = []
    try:
        for line in SESSIONS[name]:
            one = command(line)
            said.append((one.line, docker(*one.argv(container), input=one.stdin)))
    finally:
        docker("rm", "-f", container, f"{container}-other", f"{container}-2")
    return said


# What dockerd says before and after the reason: the programs it was passed through.
PASSED_THROUGH = re.compile(
    r"(failed to create shim task: |failed to create task for container: )?"
    r"(OCI runtime (create|exec) failed: )((runc create|exec) failed: )?"
    r"(unable to start container process: )?(.*): unknown"
)


def normal(text: str, root: Path, container: str) -> str:
    """The text without IDs, the daemon's folders, times, durations, and the names of
    the programs through which dockerd starts a container."""
    text = text.replace(str(root), "<root>").replace(container, "$IT")
    text = PASSED_THROUGH.sub(lambda found: found[7], text)
    text = re.sub(r"(sha256:)?\b[0-9a-f]{64}\b", "<id>", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "<short id>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>", text)
    return re.sub(r"\b(Less than a second|\d+ seconds?|About a \w+)( ago)?", "<a while>", text)


def differences(
    name: str, theirs: list[tuple[str, str]], ours: list[tuple[str, str]]
) -> list[tuple[str, str, str]]:
    """("session: command", Docker's answer, ours) for each command answered differently."""
    return [
        (f"{name}: {line}", said, answered)
        for (line, said), (_, answered) in zip(theirs, ours, strict=True)
        if said != answered
    ]


def shown(answer: Answer, root: Path, container: str) -> str:
    """An answer as one text: the exit code, standard output, and standard error if any."""
    out, err = (normal(text, root, container) for text in (answer.out, answer.err))
    return f"{answer.code} {out}" + (f"\nstderr: {err}" if err else "")
