"""Sessions about one ``docker run``: what it prints, allows and refuses (see sessions.py)."""

from __future__ import annotations

RUN = "run --rm --net none"

RUNNING: dict[str, tuple[str | tuple[str, str], ...]] = {
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
    "out of memory": (
        "run --name $IT --net none -m 16m --memory-swap 16m busybox"
        " sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1; true'",
        "run --name $IT-2 --net none -m 16m --memory-swap 16m busybox tail /dev/zero",
        "inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' $IT-2",
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
    "environment from a file": (
        (f"{RUN} --env-file /dev/stdin -e B=flag busybox env", "A=1\n# no\n\nB=file\nC=a b\n"),
        (f"{RUN} --env-file /dev/stdin busybox env", "no name=1\n"),
        (f"{RUN} --env-file /dev/stdin busybox env", "=1\n"),
    ),
    "names inside": (
        f"{RUN} --hostname box --domainname example.org busybox"
        " sh -c 'hostname; hostname -f; cat /proc/sys/kernel/domainname'",
        f"{RUN} --add-host other:10.1.2.3 busybox grep other /etc/hosts",
        f"{RUN} --dns 192.0.2.1 --dns-search example.org busybox cat /etc/resolv.conf",
        f"{RUN} --hostname 'bad name' busybox hostname",
        f"{RUN} --uts host --hostname box busybox true",
        f"{RUN} --add-host nonsense busybox true",
    ),
    "tmpfs": (
        f"{RUN} --tmpfs /scratch busybox sh -c 'grep scratch /proc/mounts'",
        f"{RUN} --tmpfs /scratch:size=1m,mode=700,exec busybox grep scratch /proc/mounts",
        f"{RUN} --mount type=tmpfs,target=/s,tmpfs-size=65536 busybox grep ' /s ' /proc/mounts",
        f"{RUN} --tmpfs relative busybox true",
        f"{RUN} --tmpfs /x:nope=1 busybox true",
        f"{RUN} --shm-size 1m busybox sh -c 'df -k /dev/shm | tail -1 | tr -s \" \"'",
    ),
    "capabilities": (
        f"{RUN} --cap-drop ALL busybox grep Cap /proc/self/status",
        f"{RUN} --cap-drop ALL --cap-add chown busybox grep Cap /proc/self/status",
        f"{RUN} --cap-add ALL --cap-drop MKNOD --cap-drop SYS_RESOURCE busybox true",
        f"{RUN} -u app --cap-add NET_ADMIN busybox grep Cap /proc/self/status",
        f"{RUN} --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status",
        f"{RUN} --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status",
        f"{RUN} --security-opt seccomp=/no/such/file busybox true",
        f"{RUN} --security-opt nope=1 busybox true",
    ),
}
