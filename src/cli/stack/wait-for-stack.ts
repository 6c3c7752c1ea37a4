import { isApiError } from '../../client/api-error.ts';
import type { HttpClient } from '../../client/http-client.ts';
import { readBody } from '../../client/read-lines.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { failedCheckSelector, newestFailedCheck, withFailedCheck } from '../../resources/failed-check.ts';
import { events, type Pod, pods, type Stack, stacks } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { isPodReady } from '../../resources/pod-facts.ts';
import type { StackSpec } from '../../resources/stack-types.ts';
import { rollbackDeadlineSeconds } from '../../stack/update-strategy.ts';
import { print } from '../output.ts';
import { createProgress } from '../progress.ts';
import { DeployWatch } from './deploy-watch.ts';
import { progressLine } from './verdict.ts';

export interface WaitOptions {
  readonly client: HttpClient;
  readonly namespace: string;
  readonly name: string;
  readonly timeoutMs: number;
  /** Reasons that are no failure of what was asked for. */
  readonly tolerated?: readonly string[];
}

const shortestTimeoutMs = 5 * 60_000;

/** Long enough to see an update taken back. */
export function defaultTimeoutMs({ services }: StackSpec): number {
  const deadlines = Object.values(services).map(({ update }) =>
    update?.autoRollback ? (update.deadlineSeconds ?? rollbackDeadlineSeconds) : 0,
  );
  return Math.max(shortestTimeoutMs, (Math.max(0, ...deadlines) + 60) * 1_000);
}

const tailLines = 10;
const retryMs = 250;

/** Shows progress until every service runs as the file says. Throws DeployFailed with the instance, the reason and its last lines. */
export async function waitForStack(options: WaitOptions): Promise<void> {
  const { client, namespace, name, timeoutMs } = options;
  const startedMs = performance.now();
  const progress = createProgress();
  let stack = await client.get(stacks, { namespace, name });
  const generation = stack.metadata.generation ?? 1;
  const watch = new DeployWatch(generation, options.tolerated);

  try {
    for (;;) {
      const nowMs = performance.now();
      const verdict = watch.look(stack, nowMs);
      if (verdict.type === 'done') {
        progress.end();
        const seconds = (((watch.runningSinceMs ?? nowMs) - startedMs) / 1000).toFixed(1);
        print(`${name} is running: ${progressLine(stack)} (${seconds} s)`);
        return;
      }
      if (verdict.type === 'held') {
        progress.end();
        print(`${name}: ${verdict.message}`);
        return;
      }
      if (verdict.type === 'failed') throw await failure(options, verdict.message, verdict.reason);
      const leftMs = timeoutMs - (nowMs - startedMs);
      if (leftMs <= 0)
        throw await failure(options, `not there after ${Math.round(timeoutMs / 1000)} s: ${verdict.message}`);
      progress.show(`${progressLine(stack)}  ${verdict.message.split('\n')[0]}`.trim());
      stack = await nextState(client, stack, Math.min(leftMs, watch.patienceMs));
    }
  } finally {
    progress.end();
  }
}

/** The stack's next version, or itself when nothing came within `waitMs`. */
async function nextState(client: HttpClient, stack: Stack, waitMs: number): Promise<Stack> {
  const { namespace, name, resourceVersion = '' } = stack.metadata;
  const signal = AbortSignal.timeout(Math.ceil(waitMs));
  try {
    const selection = { ...(namespace ? { namespace } : {}), fieldSelector: `metadata.name=${name}` };
    for await (const event of client.watch(stacks, { ...selection, resourceVersion, signal })) {
      if (event.type === 'DELETED')
        throw new FlotillaError('DeployFailed', `stack ${name} was removed by somebody else`);
      if (event.type !== 'BOOKMARK') return event.object;
    }
  } catch (error) {
    if (!signal.aborted && !isApiError(error, 'Expired') && !isRetryable(error)) throw error;
  }
  try {
    return await client.get(stacks, { namespace, name });
  } catch (error) {
    if (!isRetryable(error)) throw error; // a server that restarts does not end a deploy: its time does
    await new Promise((wake) => setTimeout(wake, retryMs));
    return stack;
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof FlotillaError && error.retryable;
}

/** Which instance, why, and its last words. */
async function failure(
  { client, namespace, name }: WaitOptions,
  message: string,
  reason?: string,
): Promise<FlotillaError> {
  const next = nextStep(reason, `${name}/${message.split(':')[0]}`);
  // What was taken back brings its last words along, and its instances are gone.
  if (next !== undefined) return new FlotillaError('DeployFailed', `stack ${name}: ${message}`, { hint: next });
  const all =
    (await client.list(pods, { namespace, labelSelector: `${labels.stack}=${name}` }).catch(() => undefined))?.items ??
    [];
  const culprit = all.find((pod) => message.includes(pod.metadata.name)) ?? all.find((pod) => !isPodReady(pod));
  const words = culprit ? await lastWords(client, culprit) : '';
  const check = culprit ? await failedCheck(client, culprit) : undefined;
  const why = withFailedCheck(message, check);
  const text =
    words === ''
      ? ''
      : `\nlast lines of ${culprit?.metadata.name}:\n${words
          .split('\n')
          .map((line) => `  | ${line}`)
          .join('\n')}`;
  return new FlotillaError('DeployFailed', `stack ${name}: ${why}${text}`, {
    hint: culprit ? `flotilla logs ${culprit.metadata.name}, flotilla events ${name}` : `flotilla stack show ${name}`,
  });
}

/** Where instances have nothing to say about it. */
function nextStep(reason: string | undefined, service: string): string | undefined {
  switch (reason) {
    case 'RolledBack':
    case 'Aborted':
      return `deploy another version, or try this one again: flotilla service deploy ${service}`;
    case 'Paused':
      return `flotilla service resume ${service}`;
    default:
      return undefined;
  }
}

async function failedCheck(client: HttpClient, { metadata }: Pod): Promise<string | undefined> {
  const { namespace, name } = metadata;
  const fieldSelector = failedCheckSelector(name);
  const found = await client.list(events, { namespace, fieldSelector }).catch(() => undefined);
  return newestFailedCheck(found?.items ?? []);
}

async function lastWords(client: HttpClient, pod: Pod): Promise<string> {
  const ref = { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name };
  for (const previous of [false, true]) {
    try {
      const text = await readBody(
        client.podLogs(ref, { tailLines, previous, signal: AbortSignal.timeout(5_000) }),
        64 << 10,
      );
      if (text.trim() !== '') return text.trimEnd();
    } catch (error) {
      void messageOf(error); // a container that never started has no log
    }
  }
  return '';
}
