import type { TokenRequest } from 'kubernetes-types/authentication/v1.js';
import type { HttpClient } from '../../client/http-client.ts';
import { pathOf } from '../../client/paths.ts';
import { readBody } from '../../client/read-lines.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { serviceAccounts } from '../../resources/kinds.ts';
import type { RequestToken } from './pod-tokens.ts';

/** Tokens as Kubernetes gives them out: TokenRequest, authentication.k8s.io/v1, bound to the pod by name and uid. */
export function requestTokens(client: Pick<HttpClient, 'raw' | 'grid'>): RequestToken {
  return async (pod, { audience, expirationSeconds }, signal) => {
    const { namespace, name, uid } = pod.metadata;
    const account = pod.spec.serviceAccountName || 'default';
    const path = pathOf({ grid: client.grid, kind: serviceAccounts, namespace, name: account, subresource: 'token' });
    const body = JSON.stringify({
      ...{ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest' },
      spec: {
        ...{ expirationSeconds, audiences: audience === undefined ? [] : [audience] },
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    });
    const answer = await client.raw({ method: 'POST', path, body, contentType: 'application/json', signal });
    const { status } = JSON.parse(await readBody(answer.body)) as TokenRequest;
    if (status?.token) return status.token;
    throw new FlotillaError('Unavailable', `no token came for service account ${namespace}/${account}`, {
      retryable: true,
    });
  };
}
