import type { Client } from '../../client/client.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { failedCheckSelector, newestFailedCheck, withFailedCheck } from '../../resources/failed-check.ts';
import { type Event, events as eventKind, type Pod } from '../../resources/kinds.ts';
import { isServing } from '../pod-facts.ts';
import type { ReadPodLog } from '../pod-log.ts';
import { podTrouble, type Trouble } from '../pod-trouble.ts';

export interface LastWordsInput {
  /** Of the set that did not become healthy. */
  readonly pods: readonly Pod[];
  readonly client: Client;
  /** Absent: logs cannot be read here. */
  readonly readPodLog: ReadPodLog | undefined;
  readonly signal: AbortSignal;
}

export interface LastWords {
  /** Which instance, and what kept it from being ready. */
  readonly why: string;
  readonly lines: readonly string[];
}

const tailLines = 10;
const maxLineLength = 300;
/** Going back does not wait for a node that does not answer. */
const patienceMs = 3_000;

/** Why its pods are not there, from the one that has most to say: also the check that failed, and the end of its log. */
export async function lastWords(input: LastWordsInput): Promise<LastWords> {
  const culprit = worstOf(input.pods);
  if (!culprit) return { why: 'no instance of it could be made', lines: [] };
  const { pod, trouble } = culprit;
  const check = await failedCheck(input, pod).catch(() => undefined);
  const why = withFailedCheck(trouble.message, check);
  return { why, lines: await lastLines(input, pod) };
}

function worstOf(pods: readonly Pod[]): { pod: Pod; trouble: Trouble } | undefined {
  const troubled = pods.flatMap((pod) => {
    const trouble = isServing(pod) ? undefined : podTrouble(pod, false);
    return trouble ? [{ pod, trouble }] : [];
  });
  return troubled.find(({ trouble }) => trouble.isStuck) ?? troubled[0];
}

async function failedCheck({ client, signal }: LastWordsInput, pod: Pod): Promise<string | undefined> {
  const { namespace, name, uid } = pod.metadata;
  const fieldSelector = failedCheckSelector(name);
  const { items } = await withDeadline(patienceMs, signal, (inTime) =>
    client.list(eventKind, { namespace, fieldSelector, signal: inTime }),
  );
  const isOwn = ({ involvedObject }: Event) => involvedObject.uid === undefined || involvedObject.uid === uid;
  return newestFailedCheck(items.filter(isOwn))?.slice(0, maxLineLength);
}

/** Of the container that runs; of the one before, where that one has said nothing yet. */
async function lastLines({ client, readPodLog, signal }: LastWordsInput, pod: Pod): Promise<readonly string[]> {
  if (!readPodLog || !pod.spec.nodeName) return [];
  for (const previous of [false, true]) {
    try {
      const lines = await withDeadline(patienceMs, signal, (inTime) =>
        readPodLog(client.grid, pod, { tailLines, previous, signal: inTime }),
      );
      if (lines.length > 0) return lines.map((line) => line.slice(0, maxLineLength));
    } catch {
      // One that never ran has no log, and a node that is away does not tell it.
    }
  }
  return [];
}
