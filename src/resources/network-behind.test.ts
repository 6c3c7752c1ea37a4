import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from './kinds.ts';
import { nodeConditions } from './names.ts';
import { behindReasonOf, isNetworkBehind, proxyProblemText } from './network-behind.ts';

const node = (status: string, reason: string): Node => ({
  ...{ apiVersion: 'v1', kind: 'Node', metadata: { name: 'h1' }, spec: {} },
  status: { conditions: [{ type: nodeConditions.networkBehind, status, reason }] },
});
const ingress = { ingresses: 1, secrets: 1, certificates: 1, problem: 'port 80 is taken' };

test('a node whose proxy alone is sick is as good as others for what runs on it', () => {
  const proxyAlone = behindReasonOf({ revision: 1, ingress, problem: proxyProblemText('port 80 is taken') });
  assert.equal(isNetworkBehind(node('True', proxyAlone)), false);
  for (const problem of ['nft: no', undefined]) {
    const reason = behindReasonOf({ revision: 1, ingress, ...(problem === undefined ? {} : { problem }) });
    assert.equal(isNetworkBehind(node('True', reason)), true, `${problem}`);
    assert.equal(isNetworkBehind(node('False', reason)), false);
  }
});
