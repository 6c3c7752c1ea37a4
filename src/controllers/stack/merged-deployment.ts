import { jsonEqual } from '../../resources/json.ts';
import type { Deployment } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { rollbackRecordOf } from '../../resources/rollback-record.ts';

/** `kubectl rollout restart` and `flotilla restart` write it into the template: new instances of the same version. */
const restartedAt = 'kubectl.kubernetes.io/restartedAt';
/** Those that the compiler writes: what the file no longer says is gone. */
const said = [
  annotations.autoRollback,
  annotations.updateWindow,
  annotations.updateTimezone,
  annotations.updatePause,
] as const;

/**
 * What the file says, and three things that people say beside it and that a deploy does not undo: that it is paused, that it was
 * restarted, and that this very template was taken back. `metadata` is the observed one with the compiled one's written over it.
 */
export function mergedDeployment(
  known: Deployment,
  compiled: Deployment,
  metadata: Deployment['metadata'],
): Deployment {
  const own = Object.entries(metadata.annotations ?? {}).filter(
    ([key]) => !said.some((one) => one === key) || compiled.metadata.annotations?.[key] !== undefined,
  );
  return {
    ...known,
    ...compiled,
    metadata: { ...metadata, annotations: Object.fromEntries(own) },
    spec: {
      ...compiled.spec,
      ...(known.spec.paused ? { paused: true } : {}),
      template: isTakenBack(known, compiled) ? known.spec.template : withRestart(known, compiled.spec.template),
    },
  };
}

function isTakenBack(known: Deployment, compiled: Deployment): boolean {
  const failed = rollbackRecordOf(known)?.templateHash;
  return failed !== undefined && failed === compiled.metadata.annotations?.[annotations.templateHash];
}

/** `kubectl rollout undo` gives back the annotations of a ReplicaSet, which has none of what the stack controller wrote. */
export function isUndone(known: Deployment, compiled: Deployment): boolean {
  const isOurs = known.metadata.annotations?.[annotations.appliedHash] !== undefined;
  const isMade = [labels.stack, labels.service].every(
    (key) =>
      known.metadata.labels?.[key] !== undefined && known.metadata.labels[key] === compiled.metadata.labels?.[key],
  );
  return !isOurs && isMade && jsonEqual(known.spec.selector, compiled.spec.selector);
}

/** What somebody went back to stays until the file says something else. */
export function markedAgain(known: Deployment, compiled: Deployment): Deployment {
  const own = { ...known.metadata.annotations, ...compiled.metadata.annotations };
  return { ...known, metadata: { ...known.metadata, annotations: own } };
}

type Template = Deployment['spec']['template'];

function withRestart(known: Deployment, template: Template): Template {
  const at = known.spec.template.metadata?.annotations?.[restartedAt];
  if (at === undefined) return template;
  const { metadata } = template;
  return { ...template, metadata: { ...metadata, annotations: { ...metadata?.annotations, [restartedAt]: at } } };
}
