import { apiVersionOf, type Kind } from '../../resources/kind.ts';
import { type ControllerRevision, controllerRevisions, type Stack, stacks } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { isSameVersion, stackVersionName, stackVersionOf } from '../../resources/stack-version.ts';
import { controllerRef } from '../owners.ts';
import type { StackStep } from './plan.ts';

export interface HistoryInput {
  readonly stack: Stack;
  /** Its versions, in any order. */
  readonly revisions: readonly ControllerRevision[];
  /** Every service is what the newest version says. */
  readonly isThrough: boolean;
}

export interface History {
  /** To be done before anything else: what is carried out has been written down. */
  readonly steps: readonly StackStep[];
  /** Number of the newest. */
  readonly version: number;
}

/** Versions of a stack that are kept, beside the last good one. */
export const versionsKept = 10;

export function planHistory({ stack, revisions, isThrough }: HistoryInput): History {
  const known = revisions
    .flatMap((object) => {
      const version = stackVersionOf(object);
      return version ? [{ object, ...version }] : [];
    })
    .sort((a, b) => a.number - b.number);
  const newest = known.at(-1);
  const kind: Kind = controllerRevisions;
  if (!newest || !isSameVersion(newest.spec, stack.spec)) {
    const number = Math.max(newest?.number ?? 0, stack.status?.version ?? 0) + 1;
    return { steps: [{ type: 'create', kind, object: versionObject(stack, number) }], version: number };
  }
  const steps: StackStep[] = [];
  if (isThrough && !newest.wasThrough) steps.push({ type: 'update', kind, object: marked(newest.object) });
  const lastGood = known.findLast((one) => one.wasThrough);
  const surplus = known.slice(0, Math.max(0, known.length - versionsKept)).filter((one) => one !== lastGood);
  for (const { object } of surplus) steps.push({ type: 'delete', kind, object });
  return { steps, version: newest.number };
}

function versionObject(stack: Stack, number: number): ControllerRevision {
  const { namespace, name } = stack.metadata;
  const cause = stack.metadata.annotations?.[annotations.cause];
  return {
    apiVersion: apiVersionOf(controllerRevisions),
    kind: controllerRevisions.kind,
    metadata: {
      name: stackVersionName(stack, number),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [labels.stack]: name },
      ...(cause === undefined ? {} : { annotations: { [annotations.cause]: cause } }),
      ownerReferences: [controllerRef(stacks, stack)],
    },
    data: stack.spec,
    revision: number,
  };
}

function marked(object: ControllerRevision): ControllerRevision {
  const { metadata } = object;
  const own = { ...metadata.annotations, [annotations.rolledOut]: metadata.name };
  return { ...object, metadata: { ...metadata, annotations: own } };
}
