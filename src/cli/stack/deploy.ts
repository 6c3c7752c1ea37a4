import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import type { HttpClient } from '../../client/http-client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { namespaces, type Stack, stacks } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { parseDurationMs } from '../durations.ts';
import { print, printObject } from '../output.ts';
import { withSession } from '../session.ts';
import { reachedAt } from './reached-at.ts';
import { readStackFile, type StackFileFlags } from './read-stack-file.ts';
import { defaultTimeoutMs, waitForStack } from './wait-for-stack.ts';
import { writeStack } from './write-stack.ts';

export interface DeployFlags extends StackFileFlags {
  readonly dryRun?: boolean;
  readonly output?: string;
  readonly wait: boolean;
  readonly timeout?: string;
}

export async function deploy(flags: DeployFlags, command: Command): Promise<void> {
  const asked = flags.timeout === undefined ? undefined : parseDurationMs(flags.timeout, '--timeout');
  if (flags.output !== undefined && !flags.dryRun) {
    throw new FlotillaError('BadUsage', '-o goes with --dry-run', { hint: 'flotilla deploy --dry-run -o yaml' });
  }
  const wanted = readStackFile(flags);
  if (flags.dryRun && flags.output !== undefined) return printObject(withoutSecrets(wanted), flags.output);
  await withSession(command, async ({ client }) => {
    if (flags.dryRun) {
      const { printDiff } = await import('./diff.ts');
      return void (await printDiff(client, wanted));
    }
    const { namespace = '', name } = wanted.metadata;
    await ensureNamespace(client, namespace, name);
    print(`${name} ${await apply(client, wanted)}`);
    const timeoutMs = asked ?? defaultTimeoutMs(wanted.spec);
    if (!flags.wait) return;
    await waitForStack({ client, namespace, name, timeoutMs });
    for (const line of await reachedAt(client, namespace, name)) print(line);
  });
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

const cause = 'deploy';

async function apply(client: HttpClient, wanted: Stack): Promise<'created' | 'changed' | 'unchanged'> {
  const metadata = { ...wanted.metadata, annotations: { [annotations.cause]: cause } };
  try {
    await client.create(stacks, { ...wanted, metadata });
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
  const isOther = await writeStack(client, before, { spec: wanted.spec, cause });
  return isOther ? 'changed' : 'unchanged';
}
