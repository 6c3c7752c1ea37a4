import {
  type Applied,
  type IngressProblem,
  ingressKinds,
  maxIngressProblemLength,
  maxIngressProblems,
} from '../../resources/applied.ts';

type ProblemListener = (grid: string, ingresses: readonly string[]) => void;

/** What proxies of nodes say that they do not do; nothing of it is stored. */
export class ProblemTable {
  readonly #byNode = new Map<string, readonly IngressProblem[]>();
  readonly #listeners = new Set<ProblemListener>();

  of(grid: string, nodeName: string): readonly IngressProblem[] {
    return this.#byNode.get(`${grid}/${nodeName}`) ?? [];
  }

  set(grid: string, nodeName: string, problems: readonly IngressProblem[]): void {
    const before = this.of(grid, nodeName);
    const key = `${grid}/${nodeName}`;
    if (problems.length === 0) this.#byNode.delete(key);
    else this.#byNode.set(key, problems);
    const changed = [...difference(before, problems), ...difference(problems, before)];
    if (changed.length === 0) return;
    for (const listener of this.#listeners) listener(grid, [...new Set(changed)]);
  }

  onChange(listener: ProblemListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Of which objects `left` says what `right` does not. */
function difference(left: readonly IngressProblem[], right: readonly IngressProblem[]): string[] {
  const known = new Map(right.map((one) => [one.ingress, one.message]));
  return left.filter((one) => known.get(one.ingress) !== one.message).map((one) => one.ingress);
}

/** Undefined: no agent of ours says that. */
export function parseApplied(told: Applied): Applied | undefined {
  const { revision, problem, ingress } = told;
  if (!Number.isSafeInteger(revision)) return undefined;
  if (ingress && !ingressKinds.every((kind) => Number.isSafeInteger(ingress[kind]))) return undefined;
  return {
    revision,
    ...(problem === undefined ? {} : { problem: String(problem) }),
    ...(ingress
      ? {
          ingress: {
            ...{ ingresses: ingress.ingresses, secrets: ingress.secrets, certificates: ingress.certificates },
            ...(ingress.problem === undefined ? {} : { problem: String(ingress.problem) }),
          },
        }
      : {}),
  };
}

/** As `parseApplied`. */
export function parseIngressProblems(told: unknown): readonly IngressProblem[] | undefined {
  if (!Array.isArray(told) || told.length > maxIngressProblems) return undefined;
  const found: IngressProblem[] = [];
  for (const one of told as readonly Partial<Record<keyof IngressProblem, unknown>>[]) {
    if (typeof one?.ingress !== 'string' || typeof one.message !== 'string') return undefined;
    found.push({ ingress: one.ingress, message: one.message.slice(0, maxIngressProblemLength) });
  }
  return found;
}
