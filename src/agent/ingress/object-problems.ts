import { type IngressProblem, maxIngressProblemLength, maxIngressProblems } from '../../resources/applied.ts';

export interface ProblemSources {
  /** By the key of the Ingress object. */
  readonly compiled: ReadonlyMap<string, readonly string[]>;
  /** By the key of a route, a listener or a certificate. */
  readonly refused: ReadonlyMap<string, string>;
  readonly ingressesOf: (key: string) => readonly string[];
}

/** What is told about each Ingress object, the same on all hosts that see the same. */
export function objectProblems({ compiled, refused, ingressesOf }: ProblemSources): readonly IngressProblem[] {
  const sentences = new Map<string, Set<string>>();
  for (const [ingress, texts] of compiled) sentences.set(ingress, new Set(texts));
  for (const key of [...refused.keys()].sort()) {
    for (const ingress of ingressesOf(key)) {
      sentences.set(ingress, (sentences.get(ingress) ?? new Set<string>()).add(refused.get(key) ?? ''));
    }
  }
  return [...sentences]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, maxIngressProblems)
    .map(([ingress, texts]) => ({ ingress, message: [...texts].join('; ').slice(0, maxIngressProblemLength) }));
}
