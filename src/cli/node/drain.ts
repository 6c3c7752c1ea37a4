import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import type { HttpClient } from '../../client/http-client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { nodes, type Pod, pods } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { isPodFinished } from '../../resources/pod-facts.ts';
import { parseDurationMs } from '../durations.ts';
import { print } from '../output.ts';
import { createProgress } from '../progress.ts';
import { withSession } from '../session.ts';

export interface DrainFlags {
  readonly timeout: string;
  readonly stopFirst?: boolean;
}

/**
 * Asks every instance to go, until all are gone. Where the strategy allows more for a while, another one does the work first. Pods
 * that have nobody to make them again stay: a drain must not lose anything. What is held back is asked again until it may go.
 */
export async function drain(name: string, flags: DrainFlags, command: Command): Promise<void> {
  const timeoutMs = parseDurationMs(flags.timeout, '--timeout');
  const isStopFirst = flags.stopFirst === true;
  await withSession(command, async ({ client }) => {
    await setUnschedulable(client, name, true);
    const progress = createProgress();
    const deadlineMs = performance.now() + timeoutMs;
    const asked = new Set<string>();
    const heldBack = new Map<string, HeldBack>();
    try {
      for (;;) {
        const left = (await client.list(pods, { fieldSelector: `spec.nodeName=${name}` })).items.filter(
          (pod) => !isPodFinished(pod),
        );
        const movable = left.filter(isMade);
        if (movable.length === 0) {
          progress.end();
          const kept = left.map(nameOf);
          print(
            `${name} is drained${kept.length > 0 ? `; left there, since nothing would make them again: ${kept.join(', ')}` : ''}`,
          );
          return;
        }
        for (const pod of movable) {
          const uid = pod.metadata.uid ?? '';
          const isTooEarly = (heldBack.get(uid)?.againAtMs ?? 0) > performance.now();
          if (pod.metadata.deletionTimestamp || asked.has(uid) || isTooEarly) continue;
          const why = await evict(client, pod, isStopFirst);
          if (why === undefined) asked.add(uid);
          else heldBack.set(uid, { why: `${nameOf(pod)}: ${why}`, againAtMs: performance.now() + askAgainMs });
        }
        const waiting = movable.filter((pod) => !pod.metadata.deletionTimestamp && !asked.has(pod.metadata.uid ?? ''));
        const reasons = waiting.flatMap((pod) => heldBack.get(pod.metadata.uid ?? '')?.why ?? []);
        if (performance.now() > deadlineMs) throw tooLate(name, movable, reasons, isStopFirst);
        progress.show([`${instances(movable.length)} to go`, ...reasons.slice(0, maxReasons)].join('; '));
        await new Promise((wake) => setTimeout(wake, 250));
      }
    } finally {
      progress.end();
    }
  });
}

/** What is told when the time is over. */
export function tooLate(
  name: string,
  movable: readonly Pod[],
  reasons: readonly string[],
  isStopFirst: boolean,
): FlotillaError {
  const told = reasons.length > 0 ? reasons : movable.map(nameOf);
  const left = `${instances(movable.length)} ${movable.length === 1 ? 'is' : 'are'} still there`;
  const again = `"flotilla node drain ${name}" asks again, "flotilla node undrain ${name}" takes it back`;
  const first = isStopFirst ? '' : `, "flotilla node drain ${name} --stop-first" stops them before others run`;
  return new FlotillaError('DeadlineExceeded', `node ${name}: ${left}: ${told.slice(0, maxReasons).join('; ')}`, {
    hint:
      reasons.length > 0 ? `${again}${first}` : `it goes on by itself; "flotilla node undrain ${name}" takes it back`,
  });
}

export async function undrain(name: string, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    await setUnschedulable(client, name, false);
    // Whoever says that it may be used again means it: earlier losses are forgotten, too.
    const body = { metadata: { annotations: { [annotations.lostTimes]: null } } };
    await client.patch(nodes, { name }, { type: 'merge', body });
    print(`instances may start on ${name} again`);
  });
}

function instances(count: number): string {
  return count === 1 ? '1 instance' : `${count} instances`;
}

async function setUnschedulable(client: HttpClient, name: string, value: boolean): Promise<void> {
  await client.patch(nodes, { name }, { type: 'merge', body: { spec: { unschedulable: value ? true : null } } });
}

function isMade(pod: Pod): boolean {
  return pod.metadata.ownerReferences?.some((owner) => owner.controller) ?? false;
}

function nameOf({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}

interface HeldBack {
  readonly why: string;
  readonly againAtMs: number;
}

const askAgainMs = 1_000;
/** Shown at once. */
const maxReasons = 3;

/** Undefined: it goes. Otherwise why it may not go now. */
async function evict(client: HttpClient, { metadata }: Pod, isStopFirst: boolean): Promise<string | undefined> {
  const { namespace = '', name, uid } = metadata;
  try {
    await client.evictPod({ namespace, name }, uid === undefined ? { isStopFirst } : { uid, isStopFirst });
  } catch (error) {
    if (isApiError(error, 'TooManyRequests')) return error.status.details?.causes?.[0]?.message ?? error.message;
    // Gone already, or another one by now.
    if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
  }
  return undefined;
}
