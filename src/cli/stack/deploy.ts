import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import type { HttpClient } from '../../client/http-client.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { namespaces, type Stack, stacks } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { parseStackFile } from '../../stack/parse.ts';
import { parseDurationMs } from '../durations.ts';
import { print, printObject } from '../output.ts';
import { withSession } from '../session.ts';
import { waitForStack } from './wait-for-stack.ts';

export interface DeployFlags {
  readonly file?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly set: readonly string[];
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly timeout: string;
}

/** In the order of the Compose specification, ours first. */
const fileNames = [
  'flotilla.yml',
  'flotilla.yaml',
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml',
];

export async function deploy(flags: DeployFlags, command: Command): Promise<void> {
  const timeoutMs = parseDurationMs(flags.timeout, '--timeout');
  const wanted = readStack(flags);
  if (flags.dryRun) return printObject(withoutSecrets(wanted), 'yaml');
  await withSession(command, async ({ client }) => {
    const { namespace = '', name } = wanted.metadata;
    await ensureNamespace(client, namespace, name);
    print(`${name} ${await apply(client, wanted)}`);
    if (flags.wait) await waitForStack({ client, namespace, name, timeoutMs });
  });
}

function readStack(flags: DeployFlags): Stack {
  const fileName = flags.file ?? fileNames.find((name) => existsSync(name));
  if (fileName === undefined) {
    throw new FlotillaError('BadUsage', `no file given, and none of ${fileNames.join(', ')} is here`, {
      hint: 'flotilla deploy -f FILE',
    });
  }
  const path = resolve(fileName);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new FlotillaError('BadFile', `cannot read ${fileName}: ${messageOf(error)}`, { cause: error });
  }
  const parsed = parseStackFile({
    text,
    fileName,
    directory: dirname(path),
    readFile: (file) => readFileSync(file),
    environment: process.env,
    set: Object.fromEntries(flags.set.map(parseSet)),
    projectName: flags.name,
  });
  for (const warning of parsed.warnings) process.stderr.write(`warning: ${warning}\n`);
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: parsed.name, namespace: flags.namespace ?? parsed.namespace },
    spec: parsed.spec,
  };
}

/** For showing: values that came from outside the file are not repeated, contents of files only counted. */
export function withoutSecrets(stack: Stack): Stack {
  const hidden = structuredClone(stack);
  for (const service of Object.values(hidden.spec.services)) {
    for (const name of Object.keys(service.secretEnvironment ?? {})) service.secretEnvironment![name] = '(hidden)';
  }
  for (const file of [...Object.values(hidden.spec.secrets ?? {}), ...Object.values(hidden.spec.configs ?? {})]) {
    file.data = `(${Buffer.byteLength(file.data, 'base64')} bytes)`;
  }
  return hidden;
}

function parseSet(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new FlotillaError('BadUsage', `--set "${text}" is not KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A namespace made for a stack says so: it goes with the stack when nothing else is in it. */
async function ensureNamespace(client: HttpClient, name: string, stack: string): Promise<void> {
  try {
    await client.create(namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { [labels.stack]: stack } },
    });
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
    const namespace = await client.get(namespaces, { name }).catch(() => undefined);
    if (namespace?.metadata.deletionTimestamp) await waitUntilGone(client, name, stack);
  }
}

/** A stack that was removed a moment ago may still be taking its namespace with it. */
async function waitUntilGone(client: HttpClient, name: string, stack: string): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (performance.now() < deadlineMs) {
    await new Promise((wake) => setTimeout(wake, 200));
    try {
      await client.get(namespaces, { name });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return ensureNamespace(client, name, stack);
      throw error;
    }
  }
  throw new FlotillaError('DeadlineExceeded', `namespace ${name} is being removed and not gone after 60 s`, {
    hint: `flotilla events`,
  });
}

async function apply(client: HttpClient, wanted: Stack): Promise<'created' | 'changed' | 'unchanged'> {
  try {
    await client.create(stacks, wanted);
    return 'created';
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
  const ref = { namespace: wanted.metadata.namespace, name: wanted.metadata.name };
  const before = await client.get(stacks, ref);
  if (before.metadata.deletionTimestamp) {
    throw new FlotillaError('Conflict', `stack ${ref.name} is being removed`, {
      hint: 'wait until "flotilla stack ls" no longer shows it',
    });
  }
  const after = await client.patch(stacks, ref, {
    type: 'json',
    body: [{ op: 'replace', path: '/spec', value: wanted.spec }],
  });
  return after.metadata.resourceVersion === before.metadata.resourceVersion ? 'unchanged' : 'changed';
}
