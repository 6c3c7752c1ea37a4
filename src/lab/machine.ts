import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { access, mkdir, open, writeFile } from 'node:fs/promises';
import { FlotillaError } from '../lib/errors.ts';
import { exec } from '../lib/exec.ts';
import { removeCgroups } from './cgroups.ts';
import { renderDaemonJson, renderHosts, renderInit, renderResolvConf, type Unit } from './init-script.ts';
import type { LabLayout, MachineLayout, NatLayout } from './layout.ts';
import { processesIn } from './processes.ts';
import { waitUntil } from './wait-until.ts';

/** Makes a machine's namespaces and starts its process 1; its disk may hold what an earlier run left. */
export async function startMachine(lab: LabLayout, machine: MachineLayout, units: readonly Unit[]): Promise<void> {
  await writeDisk(lab, machine, units);
  await exec(['ip', 'netns', 'add', machine.namespace]);
  await plugIn(lab, machine);
  const log = await open(`${machine.directory}/init.log`, 'a');
  try {
    const child = spawn(
      'nsenter',
      [
        `--net=/run/netns/${machine.namespace}`,
        ...['unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--mount-proc', '--propagation', 'private'],
        ...['/bin/sh', `${machine.directory}/init.sh`],
      ],
      { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/', env: machineEnvironment() },
    );
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
  } finally {
    await log.close();
  }
}

/** The power goes: every process at once, and the card with its network; the disk stays. Nothing to do is fine. */
export async function stopMachine(lab: LabLayout, machine: MachineLayout): Promise<void> {
  await removeLink(lab.switch.namespace, machine.port);
  await stopNamespace(machine.namespace);
  if (machine.nat) await stopNamespace(machine.nat.namespace);
  await removeCgroups(machine.cgroup);
}

/** Ends all processes of a network namespace, and the namespace. */
export async function stopNamespace(namespace: string): Promise<void> {
  await waitUntil(
    async () => {
      const running = await processesIn(namespace);
      // The init first: the kernel then ends all that it started, whatever their network.
      for (const { pid } of running.toSorted((a, b) => Number(b.isInit) - Number(a.isInit))) kill(pid);
      return running.length === 0;
    },
    { timeoutMs: 20_000, intervalMs: 5, what: `the processes of ${namespace} to end` },
  );
  await exec(['ip', 'netns', 'del', namespace], { okCodes: [0, 1] });
}

/** Environment of everything that runs in a machine: not the user's, whose settings are for the machine itself. */
export function machineEnvironment(): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    LANG: 'C.UTF-8',
    FLOTILLA_NODE: process.execPath,
    DOCKER_HOST: 'unix:///run/docker.sock',
  };
}

async function writeDisk(lab: LabLayout, machine: MachineLayout, units: readonly Unit[]): Promise<void> {
  const disk = machine.directory;
  await mkdir(disk, { recursive: true });
  await Promise.all([
    writeFile(`${disk}/init.sh`, renderInit(lab, machine, units)),
    writeFile(`${disk}/hosts`, renderHosts(lab)),
    writeFile(`${disk}/resolv.conf`, renderResolvConf(lab)),
    machine.role === 'host' ? writeFile(`${disk}/daemon.json`, renderDaemonJson(lab, machine)) : undefined,
    access(`${disk}/machine-id`).catch(() => writeFile(`${disk}/machine-id`, `${randomUUID().replaceAll('-', '')}\n`)),
  ]);
}

async function plugIn(lab: LabLayout, machine: MachineLayout): Promise<void> {
  // The port of an earlier run goes late, with its namespace: it would hold the name.
  await removeLink(lab.switch.namespace, machine.port);
  const { nat } = machine;
  const outside = nat ? nat.namespace : machine.namespace;
  if (nat) await startRouter(nat, machine);
  await exec([
    ...['ip', 'link', 'add', 'eth0', 'address', machine.mac, 'netns', outside, 'type', 'veth'],
    ...['peer', 'name', machine.port, 'netns', lab.switch.namespace],
  ]);
  const isCut = await isCableCut(machine);
  await Promise.all([
    exec(['ip', '-n', lab.switch.namespace, 'link', 'set', machine.port, 'master', 'sw', isCut ? 'down' : 'up']),
    setUp(outside, `${machine.address}/24`, lab.switch.address),
  ]);
}

/** Brings up the card of a namespace. */
async function setUp(namespace: string, address: string, router: string): Promise<void> {
  const lines = [
    'link set lo up',
    `addr add ${address} brd + dev eth0`,
    'link set eth0 up',
    `route add default via ${router}`,
    '',
  ];
  await exec(['ip', '-n', namespace, '-batch', '-'], { stdin: lines.join('\n') });
}

/** What stands at home and in offices: it gives all behind it its own address, and nobody outside can begin. */
async function startRouter(nat: NatLayout, machine: MachineLayout): Promise<void> {
  await exec(['ip', 'netns', 'add', nat.namespace]);
  const ends = ['netns', machine.namespace, 'type', 'veth', 'peer', 'name', 'lan', 'netns', nat.namespace];
  await exec(['ip', 'link', 'add', 'eth0', ...ends]);
  await exec(['ip', '-n', nat.namespace, '-batch', '-'], {
    stdin: `addr add ${nat.routerAddress}/24 dev lan\nlink set lan up\n`,
  });
  await setUp(machine.namespace, `${nat.insideAddress}/24`, nat.routerAddress);
  const inside = ['nsenter', `--net=/run/netns/${nat.namespace}`];
  await exec([...inside, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  await exec([...inside, 'nft', '-f', '-'], { stdin: routerRules });
}

const routerRules = `table ip router {
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "eth0" ct state new drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "eth0" masquerade
  }
}
`;

/** A cable that was pulled stays out over a power cycle: a file of the machine's directory says so. */
export async function isCableCut(machine: MachineLayout): Promise<boolean> {
  return access(cableCutFile(machine)).then(
    () => true,
    () => false,
  );
}

export function cableCutFile(machine: MachineLayout): string {
  return `${machine.directory}/cable-cut`;
}

async function removeLink(namespace: string, link: string): Promise<void> {
  await exec(['ip', '-n', namespace, 'link', 'del', link], { okCodes: [0, 1, 255] });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw new FlotillaError('HostToolFailed', `cannot end process ${pid}`, { cause: error });
    }
  }
}
