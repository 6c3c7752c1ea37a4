import { spawn } from 'node:child_process';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { exec } from '../lib/exec.ts';
import { etcdCommand, etcdOnSwitch, hasEtcdOnSwitch } from './etcd.ts';
import { renderRegistryConfig } from './init-script.ts';
import type { LabLayout } from './layout.ts';
import { machineEnvironment } from './machine.ts';
import { logTail } from './units.ts';
import { waitUntil } from './wait-until.ts';

const switchHardwareAddress = '02:5b:00:00:00:fe';

/**
 * The bridge, in a namespace of its own so that the machine's firewall plays no part, and the machine's link to it. It
 * forwards, with no route to anywhere: what is outside the lab is refused at once instead of timing out.
 */
export async function startSwitch(lab: LabLayout): Promise<void> {
  const { namespace, address, directory } = lab.switch;
  await mkdir(directory, { recursive: true });
  await exec(['ip', 'netns', 'add', namespace]);
  await exec(['ip', '-n', namespace, '-batch', '-'], {
    stdin: [
      'link set lo up',
      // Without one it takes that of a cable, and hosts that know it lose it for half a minute when a cable goes.
      `link add sw address ${switchHardwareAddress} type bridge`,
      `addr add ${address}/24 dev sw`,
      'link set sw up',
      '',
    ].join('\n'),
  });
  await exec(['ip', '-batch', '-'], {
    stdin: [
      `link add ${lab.uplink.link} type veth peer name uplink netns ${namespace}`,
      `addr add ${lab.uplink.address}/24 dev ${lab.uplink.link}`,
      `link set ${lab.uplink.link} up`,
      '',
    ].join('\n'),
  });
  await exec(['ip', '-n', namespace, 'link', 'set', 'uplink', 'master', 'sw', 'up']);
  await exec(['nsenter', `--net=/run/netns/${namespace}`, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
}

/** The registry of all labs of this machine, at port 5000 of the switch. */
export async function startRegistry(lab: LabLayout, storage: string, signal: AbortSignal): Promise<void> {
  const config = `${lab.switch.directory}/registry.yml`;
  await mkdir(storage, { recursive: true });
  await writeFile(config, renderRegistryConfig(lab.registry, storage));
  await startInSwitch(lab, 'registry', ['docker-registry', 'serve', config]);
  await waitUntil(() => answers(`http://${lab.registry}/v2/`), {
    timeoutMs: 15_000,
    intervalMs: 20,
    what: `the registry at ${lab.registry}`,
    lastWords: () => logTail(`${lab.switch.directory}/registry.log`),
    signal,
  });
}

/** The member of etcd that stands on the switch, where there is one. */
export async function startEtcdOnSwitch(lab: LabLayout): Promise<void> {
  if (hasEtcdOnSwitch(lab)) await startInSwitch(lab, 'etcd', etcdCommand(lab, etcdOnSwitch(lab)));
}

async function startInSwitch(lab: LabLayout, name: string, argv: readonly string[]): Promise<void> {
  const log = await open(`${lab.switch.directory}/${name}.log`, 'a');
  try {
    const child = spawn('nsenter', [`--net=/run/netns/${lab.switch.namespace}`, ...argv], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
      env: machineEnvironment(),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
  } finally {
    await log.close();
  }
}

/** Whether a GET of this address, or of a path on a Unix socket, is answered with 200 within a second. */
export function answers(url: string, socketPath?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: 1000, agent: false, ...(socketPath ? { socketPath } : {}) }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
