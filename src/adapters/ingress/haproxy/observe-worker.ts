// What a worker has in force, asked of itself: an agent that starts finds its HAProxy running.
import { crtList, defaultCertificate, mapFiles } from './frame.ts';
import type { RuntimeClient } from './runtime-client.ts';
import type { WorkerModel, WorkerServer } from './worker.ts';

const timeoutMs = 10_000;

/** Of the configuration it was started with; undefined: not one of ours. */
export async function observeGeneration(client: RuntimeClient, pid: number): Promise<number | undefined> {
  const printed = await client.ask(pid, 'show info');
  const [, generation] = /^description: flotilla-(\d+)$/im.exec(printed) ?? [];
  return generation === undefined ? undefined : Number(generation);
}

export async function observeWorker(client: RuntimeClient, pid: number): Promise<WorkerModel> {
  const servers = parseServers(await client.ask(pid, 'show servers state', timeoutMs));
  for (const section of parseBackends(await client.ask(pid, 'show backend', timeoutMs))) {
    if (!servers.has(section)) servers.set(section, new Map());
  }
  const maps = new Map<string, Map<string, string>>();
  for (const file of mapFiles) maps.set(file, parseMap(await client.ask(pid, `show map ${file}`, timeoutMs)));
  const certificates = parseCrtList(await client.ask(pid, `show ssl crt-list ${crtList}`, timeoutMs));
  return { pid, servers, maps, certificates, defaultPem: undefined, seen: new Map() };
}

/** Those that are no instance's. */
const ownServers: ReadonlySet<string> = new Set(['authority', 'loop', 'newest']);

/** Out of `show servers state`, version 1 (management.txt, 9.3). */
export function parseServers(printed: string): Map<string, Map<string, WorkerServer>> {
  const sections = new Map<string, Map<string, WorkerServer>>();
  for (const line of printed.split('\n')) {
    const [, section, id, server, , , admin] = /^\d/.test(line) ? line.split(' ') : [];
    if (section === undefined || server === undefined || admin === undefined) continue;
    const servers = sections.get(section) ?? new Map<string, WorkerServer>();
    sections.set(section, servers);
    const isForced = (Number(admin) & 1) === 1;
    if (!ownServers.has(server)) servers.set(server, { id: Number(id), isLeaving: isForced });
  }
  return sections;
}

/** Out of `show backend`: a name a line. */
export function parseBackends(printed: string): readonly string[] {
  return printed.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** Out of `show map`: `<pointer> <key> <value>`. */
export function parseMap(printed: string): Map<string, string> {
  const entries = printed.split('\n').flatMap((line): [string, string][] => {
    const [, key, value] = /^0x\S+ (\S+) (.*)$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[key, value]];
  });
  return new Map(entries);
}

/** Out of `show ssl crt-list`: file → its names. */
export function parseCrtList(printed: string): Map<string, string> {
  const entries = printed.split('\n').flatMap((line): [string, string][] => {
    const [file = '', ...names] = line.trim().split(/\s+/);
    return file === '' || file.startsWith('#') || file.startsWith(defaultCertificate) ? [] : [[file, names.join(' ')]];
  });
  return new Map(entries);
}
