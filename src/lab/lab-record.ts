import { access, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { FlotillaError } from '../lib/errors.ts';
import type { GridIngressSpec } from '../resources/grid-ingress.ts';
import type { GridNetworkSpec } from '../resources/grid-network.ts';
import { type LabLayout, planLayout, requireLabName } from './layout.ts';

/** `<lab>/lab.json`: what `up` was asked for. What runs is never read from here. */
export interface LabRecord {
  /** Of this file's form. */
  readonly version: 1;
  readonly name: string;
  readonly network: string;
  readonly hosts: number;
  readonly servers: number;
  /** False: hosts with Docker only. */
  readonly flotilla: boolean;
  /** Behind routers of their own. */
  readonly natHosts?: readonly string[];
  /** What was said about the network of its grid. */
  readonly grid?: GridNetworkSpec;
  /** And about its way in. */
  readonly ingress?: GridIngressSpec;
  /** The context that was in use before this lab became it. */
  readonly previousContext?: string;
}

/** Where labs are kept. Default `/var/lib/flotilla-lab`; `FLOTILLA_LAB_DIR` moves it. */
export function labRoot(env: NodeJS.ProcessEnv): string {
  return env.FLOTILLA_LAB_DIR ?? '/var/lib/flotilla-lab';
}

export async function readLab(root: string, name: string): Promise<LabLayout> {
  return planLayout({ ...(await readRecord(root, name)), root });
}

/** Throws FlotillaError NotFound when there is no such lab. */
export async function readRecord(root: string, name: string): Promise<LabRecord> {
  requireLabName(name);
  const file = `${root}/${name}/lab.json`;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new FlotillaError('NotFound', `there is no lab "${name}"`, {
      cause,
      hint: `flotilla lab up --hosts 3${name === 'lab' ? '' : ` --name ${name}`}`,
    });
  }
  return parseRecord(text, file);
}

export function parseRecord(text: string, file: string): LabRecord {
  let record: Partial<LabRecord>;
  try {
    record = JSON.parse(text);
  } catch (cause) {
    throw new FlotillaError('BadFile', `${file} is not JSON`, { cause, hint: 'flotilla lab down' });
  }
  if (record.version !== 1) {
    throw new FlotillaError('BadFile', `${file} has version ${record.version}, this flotilla knows version 1`, {
      hint: 'take the lab down with the flotilla that made it',
    });
  }
  const { name, network, hosts, servers, flotilla = true, natHosts, grid, ingress, previousContext } = record;
  if (name === undefined || network === undefined || hosts === undefined || servers === undefined) {
    throw new FlotillaError('BadFile', `${file} lacks name, network, hosts or servers`, { hint: 'flotilla lab down' });
  }
  return {
    version: 1,
    name,
    network,
    hosts,
    servers,
    flotilla,
    ...(natHosts === undefined ? {} : { natHosts }),
    ...(grid === undefined ? {} : { grid }),
    ...(ingress === undefined ? {} : { ingress }),
    ...(previousContext === undefined ? {} : { previousContext }),
  };
}

export async function writeRecord(root: string, record: LabRecord): Promise<void> {
  const directory = `${root}/${record.name}`;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(`${directory}/lab.json.new`, `${JSON.stringify(record, null, 2)}\n`);
  await rename(`${directory}/lab.json.new`, `${directory}/lab.json`);
}

/** Names of all labs that have a record. */
export async function labNames(root: string): Promise<readonly string[]> {
  const entries = await readdir(root).catch(() => []);
  const isLab = await Promise.all(
    entries.map((name) =>
      access(`${root}/${name}/lab.json`).then(
        () => true,
        () => false,
      ),
    ),
  );
  return entries.filter((_, index) => isLab[index]);
}
