import { copyFile, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { labels } from '../resources/names.ts';
import { etcdMembers, etcdUrl, etcdUrlsFor, hasEtcd } from './etcd.ts';
import { createJoinToken, labelIngressNodes, waitForNodes, waitForServer } from './lab-api.ts';
import type { LabLayout, MachineLayout } from './layout.ts';
import { startMachine } from './machine.ts';
import { answers, startEtcdOnSwitch, startRegistry, startSwitch } from './switch.ts';
import { identityFile, joinTokenFile, logTail, planUnits, serverData } from './units.ts';
import { waitUntil } from './wait-until.ts';

export interface UpOptions {
  /** Where the registry keeps its images. */
  readonly registryStorage: string;
  /** One line a step. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Starts everything side by side; returns when every host's node is Ready. What fails is left for `down`. */
export async function bringUp(lab: LabLayout, options: UpOptions): Promise<void> {
  await startSwitch(lab);
  // When one fails the others are told, and waited for: nothing of the lab is made any more while `down` runs.
  const failed = new AbortController();
  const each = { ...options, signal: AbortSignal.any([options.signal, failed.signal]) };
  const parts = [
    startRegistry(lab, options.registryStorage, each.signal).then(() => options.say(`registry ${lab.registry}`)),
    ...(lab.withFlotilla ? [startServers(lab, each)] : []),
    ...lab.hosts.map((host) => startHost(lab, host, each)),
  ];
  try {
    await Promise.all(parts);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(parts);
    throw error;
  }
  if (!lab.withFlotilla) return;
  await waitForNodes(lab, options.signal);
  await labelIngressNodes(lab, options.signal);
  options.say(`all hosts let traffic in (label ${labels.ingress}=true)`);
}

async function startHost(lab: LabLayout, host: MachineLayout, options: UpOptions): Promise<void> {
  await startMachine(lab, host, planUnits(lab, host));
  await waitForDocker(host, options.signal);
  options.say(`${host.name} ${host.address} runs Docker`);
}

async function startServers(lab: LabLayout, options: UpOptions): Promise<void> {
  const { say, signal } = options;
  await startEtcdOnSwitch(lab);
  await Promise.all(lab.servers.map((server) => startMachine(lab, server, planUnits(lab, server))));
  if (hasEtcd(lab)) {
    await Promise.all(lab.servers.map((server) => waitForEtcd(lab, server, signal)));
    say(`etcd ${etcdMembers(lab).map(etcdUrl).join(' ')}`);
  }
  const [first, ...further] = lab.servers as [MachineLayout, ...MachineLayout[]];
  await waitForServer(first, signal);
  say(`${first.name} ${first.address} runs the server`);
  await Promise.all(
    further.map(async (server) => {
      await copyIdentity(first, server);
      await waitForServer(server, signal);
      say(`${server.name} ${server.address} runs the server`);
    }),
  );
  const token = await createJoinToken(first, signal);
  // Renamed into place: the agent starts as soon as it sees the file.
  await Promise.all(
    lab.hosts.map(async (host) => {
      await mkdir(host.directory, { recursive: true });
      await writeFile(`${joinTokenFile(host)}.new`, token, { mode: 0o600 });
      await rename(`${joinTokenFile(host)}.new`, joinTokenFile(host));
    }),
  );
}

/** It says that it is healthy once a majority has elected a leader. */
async function waitForEtcd(lab: LabLayout, server: MachineLayout, signal: AbortSignal): Promise<void> {
  const [own] = etcdUrlsFor(lab, server);
  await waitUntil(() => answers(`${own}/health`), {
    timeoutMs: 30_000,
    intervalMs: 50,
    what: `etcd on ${server.name}`,
    lastWords: () => logTail(`${server.directory}/etcd.log`),
    signal,
  });
}

/** The key that the waiting server looks for comes last. */
async function copyIdentity(from: MachineLayout, to: MachineLayout): Promise<void> {
  const [source, target] = [from, to].map((machine) => `${serverData(machine)}/identity`) as [string, string];
  await mkdir(target, { recursive: true, mode: 0o700 });
  const last = identityFile(to).slice(target.length + 1);
  const names = (await readdir(source)).filter((name) => name !== last);
  for (const name of [...names, last]) await copyFile(`${source}/${name}`, `${target}/${name}`);
  await copyFile(`${serverData(from)}/admin.token`, `${serverData(to)}/admin.token`);
}

async function waitForDocker(host: MachineLayout, signal: AbortSignal): Promise<void> {
  await waitUntil(() => answers('http://docker/_ping', `${host.directory}/docker.sock`), {
    timeoutMs: 60_000,
    intervalMs: 20,
    what: `Docker on ${host.name}`,
    lastWords: async () =>
      (await logTail(`${host.directory}/dockerd.log`)) || (await logTail(`${host.directory}/init.log`)),
    signal,
  });
}
