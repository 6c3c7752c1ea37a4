import { FlotillaError } from '../../lib/errors.ts';
import { isSameVersion, type StackVersion } from '../../resources/stack-version.ts';

/**
 * Where a stack goes back to: `wanted` is the number of a version, or what a file calls itself (the newest of that name). Without it the
 * newest that was through and says something else than the last one. Throws NotFound, BadUsage; the hint has those that there are.
 */
export function chooseVersion(stack: string, all: readonly StackVersion[], wanted: string | undefined): StackVersion {
  const newest = all.at(-1);
  const hint = all.length === 0 ? 'it has none yet' : `there are: ${all.map(describeVersion).join(', ')}`;
  if (!newest) throw new FlotillaError('NotFound', `stack ${stack} has no versions`, { hint });
  if (wanted === undefined) {
    const other = all.findLast((one) => one.wasThrough && !isSameVersion(one.spec, newest.spec));
    if (other) return other;
    throw new FlotillaError('NotFound', `stack ${stack} has no earlier version that was complete`, { hint });
  }
  const found = all.find((one) => String(one.number) === wanted) ?? all.findLast((one) => one.spec.version === wanted);
  if (!found) throw new FlotillaError('NotFound', `stack ${stack} has no version "${wanted}"`, { hint });
  return found;
}

/** `4 (1.2.0)` */
export function describeVersion({ number, spec }: StackVersion): string {
  return spec.version === undefined ? String(number) : `${number} (${spec.version})`;
}
