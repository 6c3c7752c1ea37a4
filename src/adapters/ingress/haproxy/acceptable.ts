import { FlotillaError } from '../../../lib/errors.ts';
import { culprits } from './culprits.ts';
import type { Generations } from './generations.ts';
import type { Registry } from './registry.ts';
import type { Configuration } from './render.ts';
import { listenerKey, type Refusals, type readWish } from './wish.ts';

/** A configuration that may be loaded. */
export interface Candidate {
  readonly wish: ReturnType<typeof readWish>;
  readonly registry: Registry;
  readonly configuration: Configuration;
}

export interface AcceptableInput {
  readonly render: (refusals: Refusals) => Candidate;
  readonly generations: Generations;
  /** What is known to be refused; what is found is put there. */
  readonly refusals: Map<string, string>;
}

const maxRounds = 50;

/** On disk and checked: whatever HAProxy refuses is left out, all else stands. Throws HostToolFailed when it is none of that. */
export async function findAcceptable({ render, generations, refusals }: AcceptableInput): Promise<Candidate> {
  for (let round = 0; round < maxRounds; round++) {
    const candidate = render(refusals);
    const errors = await errorsOf(candidate, generations);
    if (errors.length === 0) return candidate;
    const named = culprits(errors, candidate.configuration);
    const found = named.size > 0 ? named : await search({ render, generations, refusals }, candidate, errors);
    if (found.size === 0) {
      const why = `HAProxy refuses its configuration: ${errors.slice(0, 3).join('; ')}`;
      throw new FlotillaError('HostToolFailed', why, { retryable: true, hint: 'the last good one stays in force' });
    }
    for (const [key, why] of found) refusals.set(key, why);
  }
  const why = `HAProxy still refuses its configuration after ${maxRounds} parts were left out`;
  throw new FlotillaError('HostToolFailed', why, { retryable: true });
}

async function errorsOf({ registry, configuration }: Candidate, generations: Generations): Promise<readonly string[]> {
  await generations.write(registry.generation, configuration.files);
  return generations.check(registry.generation);
}

/** Where no line is named: halves are left out until one part is found without which it is taken. */
async function search(
  { render, generations, refusals }: AcceptableInput,
  { wish }: Candidate,
  errors: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const suspects = [
    ...[...wish.sections.values()].filter(({ isPlain }) => !isPlain).map(({ key }) => key),
    ...wish.listeners.map(({ listener }) => listenerKey(listener)),
  ];
  const why = `HAProxy refuses it: ${errors[0] ?? ''}`;
  const isTakenWithout = async (left: readonly string[]) => {
    const candidate = render(new Map([...refusals, ...left.map((key) => [key, why] as const)]));
    return (await errorsOf(candidate, generations)).length === 0;
  };
  if (suspects.length === 0 || !(await isTakenWithout(suspects))) return new Map();
  let range = suspects;
  while (range.length > 1) {
    const half = range.slice(0, Math.ceil(range.length / 2));
    // Of those in `range` at least one is at fault, with all others left out.
    const others = suspects.filter((key) => !range.includes(key));
    range = (await isTakenWithout([...half, ...others])) ? half : range.slice(half.length);
  }
  return new Map(range.map((key) => [key, why]));
}
