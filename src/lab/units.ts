import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ingressArgs } from '../resources/grid-ingress-flags.ts';
import { networkArgs } from '../resources/grid-network-flags.ts';
import { etcdCommand, etcdMembers, etcdUrlsFor, hasEtcd } from './etcd.ts';
import type { Unit } from './init-script.ts';
import type { LabLayout, MachineLayout } from './layout.ts';

export const apiPort = 7443;

export function serverUrl(machine: MachineLayout): string {
  return `https://${machine.address}:${apiPort}`;
}

export function serverData(machine: MachineLayout): string {
  return `${machine.directory}/data`;
}

/** The agent starts once this file is there; it holds the join token. */
export function joinTokenFile(machine: MachineLayout): string {
  return `${machine.directory}/join-token`;
}

/** A further server starts once the cluster's identity is in its data directory. */
export function identityFile(machine: MachineLayout): string {
  return `${serverData(machine)}/identity/secrets.key`;
}

/** `bin/flotilla` of the checkout or package that this file belongs to. */
export function flotillaBin(): string {
  return fileURLToPath(new URL('../../bin/flotilla', import.meta.url));
}

export function planUnits(lab: LabLayout, machine: MachineLayout): readonly Unit[] {
  if (machine.role === 'server') {
    if (!lab.withFlotilla) return [];
    const server = serverUnit(lab, machine);
    return hasEtcd(lab) ? [etcdUnit(lab, machine), server] : [server];
  }
  const dockerd: Unit = {
    name: 'dockerd',
    command: `dockerd --config-file ${machine.directory}/daemon.json`,
    restartSeconds: 2, // as Debian's docker.service
  };
  return lab.withFlotilla ? [dockerd, agentUnit(lab, machine)] : [dockerd];
}

function serverUnit(lab: LabLayout, machine: MachineLayout): Unit {
  const isShared = hasEtcd(lab);
  const isFirst = machine === lab.servers[0];
  const argv = [
    ...[flotillaBin(), 'server', '--data', serverData(machine)],
    ...['--listen', `0.0.0.0:${apiPort}`, '--advertise', serverUrl(machine)],
    ...(isShared ? etcdUrlsFor(lab, machine).flatMap((url) => ['--store', url]) : []),
    ...networkArgs(lab.grid),
    ...ingressArgs(lab.ingress),
  ];
  return {
    name: 'server',
    command: argv.join(' '),
    restartSeconds: 1,
    ...(isShared && !isFirst ? { waitFor: identityFile(machine) } : {}),
  };
}

function etcdUnit(lab: LabLayout, machine: MachineLayout): Unit {
  const member = etcdMembers(lab).find(({ name }) => name === machine.name)!;
  return { name: 'etcd', command: etcdCommand(lab, member).join(' '), restartSeconds: 1 };
}

function agentUnit(lab: LabLayout, machine: MachineLayout): Unit {
  const argv = [
    ...[flotillaBin(), 'agent', '--data', `${machine.directory}/agent`],
    ...lab.servers.flatMap((server) => ['--server', serverUrl(server)]),
    ...['--token', `"$(cat ${joinTokenFile(machine)})"`, '--name', machine.name],
    ...['--address', machine.nat?.insideAddress ?? machine.address],
  ];
  return { name: 'agent', command: argv.join(' '), restartSeconds: 1, waitFor: joinTokenFile(machine) };
}

/** The last lines of a log, for an error message. */
export async function logTail(file: string, lines = 12): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const last = text.trimEnd().split('\n').slice(-lines).join('\n');
  return last === '' ? '' : `last lines of ${file}:\n${last}`;
}
