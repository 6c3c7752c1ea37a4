import { nearest } from '../../lib/nearest.ts';
import { isChecked } from '../../resources/stack-facts.ts';
import type { StackService } from '../../resources/stack-types.ts';
import { dependsOnRules } from './keys.ts';
import type { Position } from './problems.ts';
import type { Reader } from './reader.ts';
import type { Source } from './source.ts';

type Dependencies = NonNullable<StackService['dependsOn']>;
type Condition = Dependencies[string]['condition'];

/** What a service waits for, with the places, so that the whole can be checked. */
export type DependencyPlaces = Map<string, { readonly at: Position; readonly condition: Condition }>;

const conditions = ['service_started', 'service_healthy', 'service_completed_successfully'] as const;

export function readDependsOn(
  reader: Reader,
  source: Source,
  where: string,
  services: ReadonlySet<string>,
): DependencyPlaces {
  const found: DependencyPlaces = new Map();
  const add = (name: string, at: Position, condition: Condition): void => {
    if (services.has(name)) found.set(name, { at, condition });
    else {
      const near = nearest(name, services);
      const hint = near === undefined ? undefined : `did you mean "${near}"?`;
      reader.problems.add(at, `"depends_on" ${where} names "${name}", which is no service of this file`, hint);
    }
  };
  if (source.type === 'map') {
    for (const [name, { at, value }] of source.entries) add(name, at, readCondition(reader, value, name, where));
    return found;
  }
  for (const item of reader.list(source, `"depends_on" ${where}`) ?? []) {
    const name = reader.string(item, `an item of "depends_on" ${where}`);
    if (name !== undefined) add(name, item.at, 'service_started');
  }
  return found;
}

function readCondition(reader: Reader, value: Source, name: string, where: string): Condition {
  const fields = reader.fields(
    value,
    `"${name}" in "depends_on" ${where}`,
    `in "depends_on.${name}" ${where}`,
    dependsOnRules,
  );
  const switches = { required: 'it is always required', restart: 'it finds the new instances by name' } as const;
  for (const [key, hint] of Object.entries(switches)) {
    const source = fields?.get(key);
    const isOn = source && reader.boolean(source, `"${key}" in "depends_on.${name}" ${where}`);
    if (source && isOn !== undefined && isOn !== (key === 'required')) {
      reader.problems.add(source.at, `"${key}: ${isOn}" in "depends_on.${name}" ${where} is not supported`, hint);
    }
  }
  const condition = fields?.get('condition');
  return (
    (condition && reader.oneOf(condition, `"condition" in "depends_on.${name}" ${where}`, conditions)) ??
    'service_started'
  );
}

/** Cycles, and waiting for what can never be; fills in what follows from waiting for an end. */
export function checkDependencies(
  reader: Reader,
  services: Record<string, StackService>,
  dependencies: ReadonlyMap<string, DependencyPlaces>,
): void {
  for (const [name, places] of dependencies) {
    for (const [target, { at, condition }] of places) {
      const service = Object.hasOwn(services, target) ? services[target] : undefined;
      if (!service) continue; // it has a problem of its own
      if (condition === 'service_healthy' && !isChecked(service)) {
        reader.problems.warn(at, `service "${target}" has no healthcheck: "${name}" waits until it runs`);
      }
      if (condition !== 'service_completed_successfully') continue;
      if (service.restart === undefined) {
        service.restart = 'no';
        reader.problems.warn(
          at,
          `service "${target}" runs once, because "${name}" waits for its end`,
          `say so: restart: "no"`,
        );
      } else if (service.restart === 'always') {
        reader.problems.add(
          at,
          `service "${name}" waits for the end of "${target}", which is restarted for ever`,
          'write restart: "no" there',
        );
      }
    }
  }
  for (const name of dependencies.keys()) reportCycle(reader, name, dependencies);
}

/** Reported at the alphabetically first service of the cycle, once. */
function reportCycle(reader: Reader, start: string, dependencies: ReadonlyMap<string, DependencyPlaces>): void {
  const path = findPath(start, dependencies);
  if (!path || path.some((name) => name < start)) return;
  const at = dependencies.get(start)?.get(path[1] ?? start)?.at ?? { line: 1, column: 1 };
  reader.problems.add(at, `services wait for each other: ${path.join(' → ')}`, 'remove one "depends_on"');
}

/** A way from `start` back to itself, breadth first. */
function findPath(start: string, dependencies: ReadonlyMap<string, DependencyPlaces>): string[] | undefined {
  const seen = new Set<string>();
  let paths = [[start]];
  while (paths.length > 0) {
    const next: string[][] = [];
    for (const path of paths) {
      for (const target of dependencies.get(path.at(-1) ?? '')?.keys() ?? []) {
        if (target === start) return [...path, start];
        if (seen.has(target)) continue;
        seen.add(target);
        next.push([...path, target]);
      }
    }
    paths = next;
  }
  return undefined;
}
