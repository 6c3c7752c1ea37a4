import type { TokenRequestSpec } from 'kubernetes-types/authentication/v1.js';
import { formatTime } from '../../resources/conditions.ts';
import { invalid, invalidError } from '../../resources/field-errors.ts';
import type { Kind } from '../../resources/kind.ts';
import { nodes, type Pod, pods, secrets } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import { tokenRequestBody } from '../../resources/review-bodies.ts';
import { accountNameOf } from '../auth/service-account/pod-admission.ts';
import { type AccountClaims, apiAudience, type BoundObject } from '../auth/service-account/token-claims.ts';
import type { ServiceAccountTokens } from '../auth/service-account/tokens.ts';
import { badRequest, conflict, methodNotAllowed, serviceUnavailable } from '../registry/api-errors.ts';
import type { Ref } from '../registry/registry.ts';
import { decodeBody, mediaType, readBody } from './request-body.ts';
import type { Write } from './write-request.ts';

const defaultSeconds = 3_600;
const minSeconds = 600;
const maxSeconds = 2 ** 32;

export interface TokenRequestDependencies {
  readonly tokens: ServiceAccountTokens | undefined;
  readonly wallMs: () => number;
}

/** `POST serviceaccounts/<name>/token`: a token for the account, bound to a pod, Secret or node if asked. */
export async function requestToken(write: Write, ref: Ref, { tokens, wallMs }: TokenRequestDependencies) {
  const { exchange, registry, kind, call, strictness } = write;
  if (exchange.request.method !== 'POST') throw methodNotAllowed();
  if (!tokens) throw serviceUnavailable('this server does not issue tokens of service accounts');
  const body = await readBody(exchange.request);
  const { object } = decodeBody(tokenRequestBody, body, mediaType(exchange.request), strictness);
  const account = (await registry.get(call, kind, ref)).object;
  const spec = completedSpec(object.spec);
  const request = { ...object, metadata: { name: ref.name, namespace: ref.namespace }, spec };
  // A node is asked once more, now that it is known for which pod it wants the token.
  call.admit?.(request as unknown as ApiObject, undefined);
  const claims: AccountClaims = {
    grid: call.grid,
    namespace: ref.namespace ?? '',
    account: boundTo(account),
    ...(await boundClaims(write, ref, spec.boundObjectRef)),
  };
  const token = call.isDryRun
    ? ''
    : await tokens.issue({ claims, audiences: spec.audiences, lifetimeSeconds: spec.expirationSeconds });
  const expirationTimestamp = formatTime(wallMs() + spec.expirationSeconds * 1000);
  return {
    ...request,
    metadata: { ...request.metadata, creationTimestamp: formatTime(wallMs()) },
    status: { token, expirationTimestamp },
  };
}

function completedSpec(sent: TokenRequestSpec | undefined): TokenRequestSpec & { expirationSeconds: number } {
  const { audiences = [], expirationSeconds = defaultSeconds, boundObjectRef } = sent ?? {};
  const refuse = (why: string) =>
    invalidError({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [
      invalid('spec.expirationSeconds', expirationSeconds, why),
    ]);
  if (expirationSeconds < minSeconds) throw refuse('may not specify a duration less than 10 minutes');
  if (expirationSeconds > maxSeconds) throw refuse('may not specify a duration larger than 2^32 seconds');
  return {
    audiences: audiences.length === 0 ? [apiAudience] : audiences,
    expirationSeconds,
    ...(boundObjectRef ? { boundObjectRef } : {}),
  };
}

/** What the token ends with. Throws ApiError when it is not there, is another one, or has nothing to do with the account. */
async function boundClaims(
  { registry, call }: Write,
  account: Ref,
  ref: TokenRequestSpec['boundObjectRef'],
): Promise<Pick<AccountClaims, 'pod' | 'node' | 'secret'>> {
  if (!ref) return {};
  const found = async (kind: Kind, namespace: string | undefined) => {
    const { object } = await registry.get(call, kind, { namespace, name: ref.name ?? '' });
    if (ref.uid && ref.uid !== object.metadata.uid) {
      const why = `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
      throw conflict(kind, object.metadata.name, why);
    }
    return object;
  };
  switch (`${ref.apiVersion ?? ''}/${ref.kind ?? ''}`) {
    case 'v1/Pod': {
      const pod = (await found(pods as Kind, account.namespace)) as Pod;
      if (accountNameOf(pod) !== account.name) {
        const message = `cannot bind token for serviceaccount ${JSON.stringify(account.name)} to pod running with different serviceaccount name.`;
        throw badRequest(message);
      }
      return { pod: boundTo(pod), ...(await nodeOf(pod)) };
    }
    case 'v1/Secret':
      return { secret: boundTo(await found(secrets as Kind, account.namespace)) };
    case 'v1/Node':
      return { node: boundTo(await found(nodes as Kind, undefined)) };
    default:
      throw badRequest(`cannot bind token to object of type ${ref.apiVersion ?? ''}, Kind=${ref.kind ?? ''}`);
  }

  async function nodeOf(pod: Pod): Promise<{ readonly node?: BoundObject }> {
    const name = pod.spec.nodeName;
    if (!name) return {};
    const node = await registry.get(call, nodes as Kind, { name }).catch(() => undefined);
    return node ? { node: boundTo(node.object) } : {};
  }
}

function boundTo({ metadata }: ApiObject): BoundObject {
  return { name: metadata.name, uid: metadata.uid ?? '' };
}
