import type { JWTPayload } from 'jose';

/** Who issues and, unless something else is asked for, who takes the tokens of service accounts. As Kubernetes' default. */
export const apiAudience = 'https://kubernetes.default.svc.cluster.local';

/** Exactly one object, by name and uid. */
export interface BoundObject {
  readonly name: string;
  readonly uid: string;
}

/** What the token of a service account says; it holds while all that it names is still there. */
export interface AccountClaims {
  readonly grid: string;
  readonly namespace: string;
  readonly account: BoundObject;
  readonly pod?: BoundObject;
  /** On which the pod runs: told, not checked. */
  readonly node?: BoundObject;
  readonly secret?: BoundObject;
}

/** Where the grid stands: clients in pods know no path. */
const gridClaim = 'flotilla.dev';
const kubernetesClaim = 'kubernetes.io';

export function renderClaims({ grid, namespace, account, pod, node, secret }: AccountClaims): JWTPayload {
  return {
    [kubernetesClaim]: {
      namespace,
      serviceaccount: account,
      ...(pod ? { pod } : {}),
      ...(node ? { node } : {}),
      ...(secret ? { secret } : {}),
    },
    [gridClaim]: { grid },
  };
}

/** Undefined: a token that we would not have made. */
export function parseClaims(payload: JWTPayload): AccountClaims | undefined {
  const claim = payload[kubernetesClaim] as Record<string, unknown> | undefined;
  const { grid } = (payload[gridClaim] ?? {}) as { grid?: unknown };
  const account = parseObject(claim?.serviceaccount);
  if (typeof grid !== 'string' || typeof claim?.namespace !== 'string' || !account) return undefined;
  const [pod, node, secret] = [claim.pod, claim.node, claim.secret].map(parseObject);
  return {
    grid,
    namespace: claim.namespace,
    account,
    ...(pod ? { pod } : {}),
    ...(node ? { node } : {}),
    ...(secret ? { secret } : {}),
  };
}

function parseObject(value: unknown): BoundObject | undefined {
  const { name, uid } = (value ?? {}) as { name?: unknown; uid?: unknown };
  return typeof name === 'string' && typeof uid === 'string' ? { name, uid } : undefined;
}
