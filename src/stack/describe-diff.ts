import type { Deployment } from '../resources/kinds.ts';
import { describeUpdateRules, updateRulesOf } from '../resources/update-rules.ts';
import type { FieldChange, ObjectChange } from './diff.ts';

/** Lines for people: `~ Deployment web`, below it what of it, and which instances go. `instancesOf` gives their names. */
export function describeDiff(
  changes: readonly ObjectChange[],
  instancesOf: (service: string) => readonly string[],
): string[] {
  return changes.flatMap((change) => [
    `${sign(change.verb)} ${change.kind} ${change.name}`,
    ...change.fields.map((one) => `    ${describeField(one)}`),
    ...describeInstances(change, instancesOf).map((line) => `    ${line}`),
  ]);
}

function sign(verb: ObjectChange['verb']): string {
  return { create: '+', change: '~', delete: '-' }[verb];
}

function describeField({ path, before, after }: FieldChange): string {
  if (before === undefined && after === undefined) return `${path}: changed`;
  if (before === undefined) return `${path}: ${after} (new)`;
  if (after === undefined) return `${path}: ${before} (gone)`;
  return before === after ? `${path}: changed ${before}` : `${path}: ${before} → ${after}`;
}

const maxNames = 10;

function describeInstances(
  { verb, service, isReplacing, deployment }: ObjectChange,
  instancesOf: (service: string) => readonly string[],
): string[] {
  if (service === undefined) return [];
  const names = instancesOf(service);
  if (verb === 'create') return deployment ? [`starts ${count(deployment.spec.replicas ?? 1)}`] : ['runs once'];
  if (!isReplacing || names.length === 0) return verb === 'change' && deployment ? ['replaces no instance'] : [];
  const more = names.length > maxNames ? `, and ${names.length - maxNames} more` : '';
  const which = `${count(names.length)}: ${names.slice(0, maxNames).join(', ')}${more}`;
  if (verb === 'delete') return [`stops ${which}`];
  return [`replaces ${which}`, ...(deployment ? [describeStrategy(deployment)] : [])];
}

function count(instances: number): string {
  return instances === 1 ? '1 instance' : `${instances} instances`;
}

/** `1 more at a time, none less; in 02:00-04:00 UTC` */
export function describeStrategy({ metadata, spec }: Deployment): string {
  const { maxSurge = 0, maxUnavailable = 0 } = spec.strategy?.rollingUpdate ?? {};
  const isNone = (value: number | string) => value === 0 || value === '0%';
  const missing = isNone(maxUnavailable) ? 'none less' : `up to ${maxUnavailable} less`;
  const how =
    spec.strategy?.type === 'Recreate'
      ? 'the old ones stop before the new ones start'
      : isNone(maxSurge)
        ? `${missing} at a time, each stops before the next starts`
        : `${maxSurge} more at a time, ${missing}`;
  return [how, ...describeUpdateRules(updateRulesOf(metadata.annotations))].join('; ');
}
