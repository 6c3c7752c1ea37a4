import type { LabLayout, MachineLayout } from './layout.ts';

/** A long-running program of a machine, started again when it ends, as a service manager would. */
export interface Unit {
  readonly name: string;
  /** A shell command; paths and addresses in it are ours, without characters that a shell would change. */
  readonly command: string;
  /** Seconds between its end and its next start. */
  readonly restartSeconds: number;
  /** Starts only once this file exists. */
  readonly waitFor?: string;
}

/**
 * The script that is process 1 of a machine: makes the machine's own view of the file system, then keeps its units running.
 * A unit is held stopped while `/run/lab/<unit>.stop` exists; `<unit>.env` on the machine's disk, if there, sets its
 * environment. The shell reaps what is orphaned.
 */
export function renderInit(lab: LabLayout, machine: MachineLayout, units: readonly Unit[]): string {
  return `#!/bin/sh
# Process 1 of ${machine.name} of the lab ${lab.name}. Written by flotilla lab.
set -eu
disk=${machine.directory}
[ -d "$disk" ] # the lab may have been taken down while this was starting
for group in /sys/fs/cgroup /sys/fs/cgroup/pids /sys/fs/cgroup/memory /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  [ -f "$group/cgroup.procs" ] || continue
  mkdir -p "$group/${machine.cgroup}/machine"
  echo 0 > "$group/${machine.cgroup}/machine/cgroup.procs"
done
hostname ${machine.name}
resolv=$(readlink -f /etc/resolv.conf || echo /etc/resolv.conf)
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/lab /run/netns /run/sys-fs-cgroup "$(dirname "$resolv")"
[ -e "$resolv" ] || : > "$resolv"
# A sysfs of this network namespace; the control groups come along.
mount --rbind /sys/fs/cgroup /run/sys-fs-cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/sys-fs-cgroup /sys/fs/cgroup
umount -l /run/sys-fs-cgroup
mount --bind "$disk/resolv.conf" "$resolv"
mount --bind "$disk/hosts" /etc/hosts
[ ! -e /etc/machine-id ] || mount --bind "$disk/machine-id" /etc/machine-id
cat /proc/sys/kernel/random/uuid > /run/lab/boot-id
mount --bind /run/lab/boot-id /proc/sys/kernel/random/boot_id
${machine.role === 'host' ? hostNetwork : ''}cd /
unit() { # name, seconds between end and start, file to wait for, command
  while :; do
    if [ -e "/run/lab/$1.stop" ] || { [ -n "$3" ] && [ ! -e "$3" ]; }; then sleep 0.1; continue; fi
    sh -c "echo \\$\\$ > /run/lab/$1.pid; [ ! -e $disk/$1.env ] || . $disk/$1.env; exec $4" >> "$disk/$1.log" 2>&1 < /dev/null || :
    rm -f "/run/lab/$1.pid"
    [ -e "/run/lab/$1.stop" ] || sleep "$2"
  done
}
${units.map((unit) => `unit ${unit.name} ${unit.restartSeconds} '${unit.waitFor ?? ''}' '${unit.command}' &`).join('\n')}
while :; do wait || :; sleep 1; done
`;
}

/** What dockerd does on a machine that it finds without forwarding; here it finds forwarding on and would leave ACCEPT. */
const hostNetwork = `echo 1 > /proc/sys/net/ipv4/ip_forward
iptables -P FORWARD DROP
`;

/** Names of all machines; the registry is `registry`. */
export function renderHosts(lab: LabLayout): string {
  const machines = [...lab.hosts, ...lab.servers].map((machine) => `${machine.address} ${machine.name}`);
  return ['127.0.0.1 localhost', ...machines, `${lab.switch.address} registry`, ''].join('\n');
}

/** Nobody listens there, and the switch says so at once: a name that is nowhere costs no time-out. */
export function renderResolvConf(lab: LabLayout): string {
  return `nameserver ${lab.switch.address}\noptions timeout:1 attempts:1\n`;
}

/** All options in a file of its own: the machine's /etc/docker/daemon.json must not take part. */
export function renderDaemonJson(lab: LabLayout, machine: MachineLayout): string {
  const options = {
    'cgroup-parent': `/${machine.cgroup}`,
    'data-root': `${machine.directory}/docker`,
    'exec-opts': ['native.cgroupdriver=cgroupfs'],
    'exec-root': '/run/docker',
    hosts: ['unix:///run/docker.sock', `unix://${machine.directory}/docker.sock`],
    'insecure-registries': [lab.network],
    'live-restore': true,
    pidfile: '/run/docker.pid',
    'registry-mirrors': [`http://${lab.registry}`],
  };
  return `${JSON.stringify(options, null, 2)}\n`;
}

/** `docker-registry serve`: read and written by all labs of this machine. */
export function renderRegistryConfig(address: string, storage: string): string {
  return `version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${storage}}, delete: {enabled: true}}
http: {addr: "${address}"}
`;
}
