# What a container sees and what it may do, a line each: key<TAB>value.
# Run by a POSIX shell with busybox's tools, as the container's only program.
# With the argument "look", nothing is tried: for containers in the host's namespaces.

mode=$1
say() { printf '%s\t%s\n' "$1" "$2"; }

# try KEY COMMAND...: "ok", or the last line that the command said, without its name.
try() {
    key=$1
    shift
    if message=$("$@" 2>&1); then say "try.$key" ok; else say "try.$key" "$(echo "$message" | tail -n 1)"; fi
}

# write KEY TEXT FILE
write() { try "$1" sh -c "echo '$2' > '$3'"; }

# --- who we are
grep -E '^(Uid|Gid|Groups|Umask|Cap...|NoNewPrivs|Seccomp|SigBlk|SigIgn|SigPnd|Cpus_allowed_list|Threads|CoreDumping|THP_enabled)' \
    /proc/self/status | while read -r name value; do say "status.${name%:}" "$value"; done
say process.cgroup "$(cut -d: -f2- /proc/$$/cgroup | sort | tr '\n' ' ')"
say process.first "$(tr '\0' ' ' </proc/1/cmdline | head -c 6)"
for file in comm oom_score_adj personality timerslack_ns; do
    say "process.$file" "$(cat /proc/$$/$file 2>&1)"
done
say process.parent_group_session "$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f2-4 | sed 's/[0-9][0-9][0-9]*/N/g')"
say process.nice "$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f17)"
say process.cwd "$(readlink /proc/$$/cwd)"
say process.root "$(readlink /proc/$$/root)"
say process.exe "$(readlink /proc/$$/exe)"
# A moment later: the shell has closed its end of this very pipe by then.
say process.fds "$(sleep 0.1; ls /proc/$$/fd | tr '\n' ' ')"
for fd in 0 1 2; do
    say "process.fd.$fd" "$(readlink /proc/$$/fd/$fd | sed 's/[0-9][0-9]*/N/g')"
done
say process.environment "$(tr '\0' '\n' </proc/$$/environ | sort | tr '\n' ' ')"
say process.nothing_inherited "$(tr '\0' '\n' </proc/$$/environ | grep -c '^_')"
say id "$(id)"
say pwd "$(pwd)"
say tty "$(tty)"
say umask "$(umask)"
env | sort | while IFS='=' read -r name value; do say "env.$name" "$value"; done
say uname "$(uname -srm)"
say hostname "$(hostname)"
say domainname "$(cat /proc/sys/kernel/domainname)"
for kind in cgroup ipc mnt net pid pid_for_children time user uts; do
    say "ns.$kind" "$(readlink /proc/self/ns/$kind)"
done
sed 1d /proc/1/limits | sed 's/   */|/g' | while IFS='|' read -r name soft hard _; do
    say "limit.$name" "$soft $hard"
done

# --- what there is
for node in /dev /dev/* /dev/.[!.]* /dev/pts/*; do
    [ -L "$node" ] && { say "dev.$node" "-> $(readlink "$node")"; continue; }
    [ -e "$node" ] && say "dev.$node" "$(stat -c '%F %a %u:%g %t:%T' "$node")"
done
while read -r _ _ _ root point options rest; do
    say "mount.$point" "$root $options $rest"
done </proc/self/mountinfo
for path in / /proc /sys /sys/fs/cgroup /etc /etc/hosts /etc/hostname /etc/resolv.conf /etc/mtab /tmp /root; do
    [ -L "$path" ] && { say "file.$path" "-> $(readlink "$path")"; continue; }
    [ -e "$path" ] && say "file.$path" "$(stat -c '%F %a %u:%g' "$path")"
done
for path in / /etc /sys/fs/cgroup /sys/fs/cgroup/memory /proc/acpi /proc/asound /proc/scsi /sys/firmware; do
    [ -d "$path" ] && say "list.$path" "$(ls -A "$path" | tr '\n' ' ')"
done
# The mask: what Docker hides from a container, each as what it looks like from inside.
for path in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats \
    /proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/firmware \
    /sys/devices/virtual/powercap; do
    say "mask.$path" "$(stat -c '%F %a %t:%T' "$path" 2>/dev/null || echo absent)"
done
for path in /etc/hosts /etc/hostname /etc/resolv.conf; do
    say "text.$path" "$(tr '\t\n' ' ;' <"$path")"
done
for name in kernel/shmmax kernel/shmall kernel/msgmax kernel/sem fs/mqueue/msg_max \
    net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range net/ipv4/ip_forward \
    net/ipv6/conf/all/disable_ipv6 net/ipv6/conf/default/disable_ipv6; do
    say "sysctl.$name" "$(tr '\t' ' ' </proc/sys/$name 2>/dev/null || echo absent)"
done
say interfaces "$(ls /sys/class/net | tr '\n' ' ')"
say interface.lo "$(cat /sys/class/net/lo/operstate) $(cat /sys/class/net/lo/flags)"
say interface.lo.addresses "$(ip -o addr show lo | sed 's/.*inet/inet/;s/ *scope.*//' | tr '\n' ' ')"
say routes "$(sed 1d /proc/net/route | wc -l)"

# --- what we may do
[ "$mode" = look ] && exit 0
try mount_tmpfs mount -t tmpfs none /tmp
try mount_proc mount -t proc proc /tmp
try remount_root mount -o remount,rw /
try remount_proc_sys mount -o remount,rw /proc/sys
try bind mount --bind /etc /tmp
try umount_hosts umount /etc/hosts
try umount_proc umount /proc
try pivot_root pivot_root / /tmp
try chroot chroot / true
for flag in m u i n p U; do try "unshare_$flag" unshare "-$flag" true; done
try nsenter_pid1_net nsenter -t 1 -n true
try nsenter_pid1_mnt nsenter -t 1 -m true
try set_hostname hostname other
try dmesg dmesg -s 16
try insmod insmod /etc/hosts
try swapoff swapoff /etc/hosts
try swapon swapon /etc/hosts
try loop losetup /dev/loop0 /etc/hosts
try link_add ip link add probe0 type dummy
try link_down ip link set lo down
try link_up ip link set lo up
try route_add ip route add 10.99.0.0/16 dev lo
try renice renice -n -5 $$
try ionice ionice -c 1 true
try raise_files sh -c 'ulimit -Hn 2000000'
try raise_locked_memory sh -c 'ulimit -l unlimited'
try chown chown 1000:1000 /tmp
try chmod_setuid sh -c 'cp /bin/busybox /tmp/busybox && chmod 4755 /tmp/busybox'
try run_setuid su app -c '/tmp/busybox id -u'
try setuid su app -c true
try kill_pid1 kill -0 1
try raw_ping ping -c 1 -W 1 127.0.0.1
try low_port httpd -p 127.0.0.1:80 -h /tmp
try mknod_null mknod /tmp/null c 1 3
write open_null x /tmp/null
try mknod_mem mknod /tmp/mem c 1 1
try open_mem head -c 1 /tmp/mem
try mknod_kmsg mknod /tmp/kmsg c 1 11
try open_kmsg head -c 1 /tmp/kmsg
try mknod_disk mknod /tmp/disk b 254 0
try open_disk head -c 1 /tmp/disk
try mknod_loop mknod /tmp/loop b 7 0
try open_loop head -c 1 /tmp/loop
try mknod_tun mknod /tmp/tun c 10 200
write open_tun x /tmp/tun
try mknod_fuse mknod /tmp/fuse c 10 229
write open_fuse x /tmp/fuse
try mknod_console mknod /tmp/console c 5 1
try open_ptmx sh -c ': <>/dev/ptmx'
write proc_sys 1 /proc/sys/kernel/printk
write proc_sys_net 0 /proc/sys/net/ipv4/ip_forward
write proc_sys_hostname other /proc/sys/kernel/hostname
write proc_sysrq h /proc/sysrq-trigger
write proc_irq 1 /proc/irq/default_smp_affinity
write sys 1 /sys/kernel/mm/transparent_hugepage/defrag
write sys_net 1 /sys/class/net/lo/mtu
write cgroup 1 /sys/fs/cgroup/memory/memory.limit_in_bytes
write oom_lower -900 /proc/self/oom_score_adj
write oom_raise 10 /proc/self/oom_score_adj
write root_file x /probe
write dev_file x /dev/probe
write shm_file x /dev/shm/probe
write etc_hosts '' /dev/null
try exec_in_tmp /tmp/busybox true
try exec_in_shm sh -c 'cp /bin/busybox /dev/shm/ && /dev/shm/busybox true'
try mqueue ls /dev/mqueue
try read_kcore head -c 1 /proc/kcore
try read_timer_list head -c 1 /proc/timer_list
try read_keys head -c 1 /proc/keys
try read_pid1_environ cat /proc/1/environ
try read_host_process ls /proc/2/root
