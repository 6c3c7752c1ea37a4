import { readdir, readFile } from 'node:fs/promises';
import { createDockerRuntime } from '../../src/adapters/runtime/docker.ts';
import type { ContainerObservation } from '../../src/adapters/runtime/port.ts';
import { labRoot, readLab } from '../../src/lab/lab-record.ts';
import type { MachineLayout } from '../../src/lab/layout.ts';
import { initOf } from '../../src/lab/processes.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { type Ended, type RunOptions, run, type TestLab } from './lab.ts';

/** All that Flotilla may have left on one host, as Docker, the kernel and the disk show it. */
export interface HostState {
  readonly host: string;
  /** Ours, running or not. */
  readonly containers: readonly ContainerObservation[];
  /** Names of containers that do not carry our label. */
  readonly foreignContainers: readonly string[];
  /** Networks but Docker's own three. */
  readonly networks: readonly string[];
  /** All volumes, ours and nameless ones. */
  readonly volumes: readonly string[];
  /** Pod uid → address, as the agent wrote it down. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Entries of `<agent data>/pods` and `memory`. */
  readonly podDirectories: readonly string[];
  /** Mounts below the agent's data directory, relative to it; the pods' memory file system itself is not among them. */
  readonly podMounts: readonly string[];
  /** Root file systems of containers that are mounted. */
  readonly containerMounts: number;
  /** Ends of pod cables in the bridge. */
  readonly bridgePorts: number;
}

export async function machineOf(lab: TestLab, name: string): Promise<MachineLayout> {
  const layout = await readLab(labRoot(process.env), lab.name);
  const machine = [...layout.hosts, ...layout.servers].find((one) => one.name === name);
  if (!machine) throw new Error(`lab ${lab.name} has no ${name}`);
  return machine;
}

/** A command on a machine, without a `flotilla lab exec` in between: 20 ms instead of 400. */
export async function runOn(
  machine: MachineLayout,
  command: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const init = await initOf(machine.namespace);
  if (init === undefined) throw new Error(`${machine.name} is off`);
  const enter = ['nsenter', `--target=${init}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--wd=/', '--'];
  return run([...enter, ...command], { ...options, env: { DOCKER_HOST: 'unix:///run/docker.sock' } });
}

/** Throws when the command fails. */
export async function shellOn(machine: MachineLayout, script: string, options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await runOn(machine, ['sh', '-c', script], options);
  if (code !== 0) throw new Error(`${machine.name}: ${script}: exit code ${code}: ${stdout}${stderr}`);
  return stdout;
}

/** Throws while the host is off or its Docker does not answer. */
export async function observeHost(lab: TestLab, host: string): Promise<HostState> {
  const machine = await machineOf(lab, host);
  const init = await initOf(machine.namespace);
  if (init === undefined) throw new Error(`${host} is off`);
  const socketPath = `${machine.directory}/docker.sock`;
  const docker = async (...args: string[]): Promise<string[]> => {
    const { code, stdout, stderr } = await run(['docker', '-H', `unix://${socketPath}`, ...args]);
    if (code !== 0) throw new Error(`docker ${args.join(' ')} on ${host}: ${stderr}`);
    return stdout.split('\n').filter((line) => line !== '');
  };
  const agentDirectory = `${machine.directory}/agent`;
  const [containers, allContainers, networks, volumes, stateText, mountText, disk, memory, links] = await Promise.all([
    createDockerRuntime({ socketPath, log: silentLogger }).list(),
    docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}}'),
    docker('network', 'ls', '--format', '{{.Name}}'),
    docker('volume', 'ls', '-q'),
    readFile(`/proc/${init}/root${agentDirectory}/state.json`, 'utf8'),
    readFile(`/proc/${init}/mountinfo`, 'utf8'),
    names(`/proc/${init}/root${agentDirectory}/pods`),
    names(`/proc/${init}/root${agentDirectory}/memory`),
    runOn(machine, ['ip', '-j', 'link', 'show', 'master', 'fl0']),
  ]);
  const own = new Set(containers.map(({ id }) => id));
  const mounts = mountText.split('\n').map((line) => line.split(' ')[4] ?? '');
  const inAgent = mounts.filter((path) => path.startsWith(`${agentDirectory}/`));
  return {
    host,
    containers,
    foreignContainers: allContainers.filter((line) => !own.has(line.split(' ')[0] ?? '')),
    networks: networks.filter((name) => !['bridge', 'host', 'none'].includes(name)),
    volumes,
    addresses: (JSON.parse(stateText) as { addresses: { byPod: Record<string, string> } }).addresses.byPod,
    podDirectories: [...disk.map((name) => `pods/${name}`), ...memory.map((name) => `memory/${name}`)],
    podMounts: inAgent.map((path) => path.slice(agentDirectory.length + 1)).filter((path) => path !== 'memory'),
    containerMounts: mounts.filter((path) => /\/docker\/[a-z0-9]+\/[^/]+\/merged$/.test(path)).length,
    bridgePorts: links.code === 0 ? (JSON.parse(links.stdout || '[]') as unknown[]).length : 0,
  };
}

async function names(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}
