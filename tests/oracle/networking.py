"""Sessions about networks: made, used, refused, removed."""

from __future__ import annotations

START = "run -d --init --name $IT"
FOREVER = "busybox sleep 1000"
ADDRESS = (
    "-f '{{range .NetworkSettings.Networks}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}};{{end}}'"
)

NETWORKING = {
    "a network's life": (
        "network create --subnet 10.123.0.0/24 --ip-range 10.123.0.64/26 --label a=b $IT-net",
        "network ls --filter name=$IT-net --format '{{.Name}} {{.Driver}} {{.Internal}}'",
        "network inspect $IT-net -f '{{json .IPAM.Config}} {{.Internal}} {{json .Labels}}'",
        "network create $IT-net",
        "network create --subnet 10.123.0.128/25 $IT-other",
        "network create --subnet 10.123.0.1/24 $IT-other",
        "network create --subnet nonsense $IT-other",
        "network create -d nonsense $IT-other",
        "network inspect nobody",
        "network rm nobody",
        "network rm bridge",
        "network rm host",
        "network rm $IT-net",
    ),
    "in and out of networks": (
        "network create --subnet 10.124.0.0/24 $IT-net",
        f"{START} --net $IT-net --ip 10.124.0.9 --network-alias web {FOREVER}",
        f"inspect $IT {ADDRESS}",
        f"{START}-2 --net $IT-net --ip 10.124.0.9 {FOREVER}",
        f"{START}-other --ip 10.124.0.9 {FOREVER}",
        "exec $IT cat /etc/resolv.conf",
        "exec $IT sh -c 'nslookup web | sort'",
        "network rm $IT-net",
        "network disconnect $IT-net $IT",
        "network disconnect $IT-net $IT",
        "exec $IT ip route",
        "network connect --ip 10.124.0.7 $IT-net $IT",
        "network connect $IT-net $IT",
        f"inspect $IT {ADDRESS}",
        "network connect host $IT",
        "network connect nobody $IT",
        "network connect $IT-net nobody",
        "rm -f $IT $IT-2 $IT-other",
        "network rm $IT-net",
    ),
    "published ports": (
        f"{START} -p 18080:80 -p 127.0.0.1:18081:81/udp --expose 90 {FOREVER}",
        "port $IT",
        "port $IT 80",
        "port $IT 99",
        "ps --filter name=$IT --format '{{.Ports}}'",
        "inspect $IT -f '{{json .HostConfig.PortBindings}} {{json .NetworkSettings.Ports}}'",
        "run --rm --name $IT-2 -p 18080:80 busybox true",
        "run --rm -p 18080:nonsense busybox true",
        "run --rm -p 70000:80 busybox true",
        "run --rm --net container:$IT -p 1:1 busybox true",
        "stop -t 0 $IT",
        "port $IT",
        "run --rm --name $IT-2 -p 18080:80 busybox true",
    ),
}
