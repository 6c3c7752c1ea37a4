import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sampleDeployment, sampleReplicaSet } from '../sample-objects.ts';
import { planClaims } from './claims.ts';
import { replicaSetFor } from './replica-set-for.ts';

const deployment = sampleDeployment();
const mine = { ...replicaSetFor(deployment, 1, 1), spec: sampleReplicaSet(1).spec };
const orphan = { ...mine, metadata: { ...mine.metadata, name: 'orphan', ownerReferences: [] } };
const stranger = { ...orphan, metadata: { ...orphan.metadata, labels: { app: 'db' } } };
const leaving = { ...mine, metadata: { ...mine.metadata, labels: { app: 'db' } } };
const goes = '2026-01-01T00:00:00Z';

it('takes in what matches and lets go of what does not', () => {
  const { adopted, released } = planClaims({ deployment, owned: [mine, leaving], orphans: [orphan, stranger] });
  assert.deepEqual(
    adopted.map((one) => [one.metadata.name, one.metadata.ownerReferences?.[0]?.uid]),
    [['orphan', 'dep-1']],
  );
  assert.deepEqual(
    released.map((one) => one.metadata.ownerReferences),
    [[]],
  );
});

it('takes in nothing that goes, and nothing while it goes itself', () => {
  const going = { ...orphan, metadata: { ...orphan.metadata, deletionTimestamp: goes } };
  assert.deepEqual(planClaims({ deployment, owned: [], orphans: [going] }).adopted, []);
  const ending = { ...deployment, metadata: { ...deployment.metadata, deletionTimestamp: goes } };
  assert.deepEqual(planClaims({ deployment: ending, owned: [], orphans: [orphan] }).adopted, []);
});
