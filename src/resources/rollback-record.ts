import { isObject } from './json.ts';
import type { Deployment } from './kinds.ts';
import { annotations } from './names.ts';

/**
 * What the deployment controller took back, and why: written with the template in one commit, so that neither is there without
 * the other. It holds while the wish is the one that was taken back.
 */
export interface RollbackRecord {
  /** Names of ReplicaSets. */
  readonly from: string;
  readonly to: string;
  /** Deployment revisions. */
  readonly fromRevision: string;
  readonly toRevision: string;
  readonly by: 'deadline' | 'abort';
  /** Of the template that was taken back, as the stack said it; absent where no stack did. */
  readonly templateHash?: string;
  /** One sentence: which instance, and what kept it from being ready. */
  readonly why: string;
  /** Last lines of its log, oldest first. */
  readonly lines: readonly string[];
}

/** Undefined: there is none, or nothing that can be read. */
export function rollbackRecordOf(deployment: Deployment): RollbackRecord | undefined {
  const text = deployment.metadata.annotations?.[annotations.rolledBack];
  if (text === undefined) return undefined;
  try {
    const record: unknown = JSON.parse(text);
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined; // written by a person
  }
}

function isRecord(value: unknown): value is RollbackRecord {
  if (!isObject(value)) return false;
  const texts = ['from', 'to', 'fromRevision', 'toRevision', 'by', 'why'];
  return texts.every((key) => typeof value[key] === 'string') && Array.isArray(value.lines);
}

/** One sentence, and the log lines below it. */
export function rollbackText({ fromRevision, toRevision, by, why, lines }: RollbackRecord): string {
  const begin = by === 'abort' ? 'aborted' : 'did not become healthy within its deadline';
  const text = `revision ${fromRevision} ${begin}: ${why}; back to revision ${toRevision}`;
  return lines.length === 0 ? text : `${text}\nlast lines:\n${lines.map((line) => `  | ${line}`).join('\n')}`;
}
