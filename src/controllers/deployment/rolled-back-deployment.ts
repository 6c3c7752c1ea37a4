import type { Deployment } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import type { RollbackRecord } from '../../resources/rollback-record.ts';
import type { LastWords } from './last-words.ts';
import { revisionOf } from './revisions.ts';
import type { Rollback } from './rollback.ts';

/** `kubectl annotate` and `apply` say with it why a revision was made. */
const changeCause = 'kubernetes.io/change-cause';

/** The deployment with its former template, as `kubectl rollout undo` would write it, and with the reason. */
export function rolledBackDeployment(
  deployment: Deployment,
  { from, to, by }: Rollback,
  { why, lines }: LastWords,
): { readonly written: Deployment; readonly record: RollbackRecord } {
  const { metadata, spec } = deployment;
  const templateHash = metadata.annotations?.[annotations.templateHash];
  const record: RollbackRecord = {
    from: from.metadata.name,
    to: to.metadata.name,
    fromRevision: String(revisionOf(from)),
    toRevision: String(revisionOf(to)),
    by,
    ...(templateHash === undefined ? {} : { templateHash }),
    why,
    lines,
  };
  const { [annotations.abort]: _abort, [changeCause]: _cause, ...kept } = metadata.annotations ?? {};
  const cause = to.metadata.annotations?.[changeCause];
  const own = {
    ...kept,
    ...(cause === undefined ? {} : { [changeCause]: cause }),
    [annotations.rolledBack]: JSON.stringify(record),
  };
  const { [labels.podTemplateHash]: _hash, ...podLabels } = to.spec.template?.metadata?.labels ?? {};
  const template = { ...to.spec.template, metadata: { ...to.spec.template?.metadata, labels: podLabels } };
  // A paused one would stay between the two.
  const { paused: _paused, ...rest } = spec;
  return {
    record,
    written: { ...deployment, metadata: { ...metadata, annotations: own }, spec: { ...rest, template } },
  };
}
