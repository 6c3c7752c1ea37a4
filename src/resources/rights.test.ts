import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from 'kubernetes-types/core/v1.js';
import { runAs, validateRights } from './rights.ts';
import type { FieldError } from './schema.ts';

type Context = PodSpec['securityContext'];

const spec = (own: Context, pod: Context, more: Partial<PodSpec> = {}): PodSpec => ({
  containers: [{ name: 'c', ...(own ? { securityContext: own } : {}) }],
  ...(pod ? { securityContext: pod } : {}),
  ...more,
});

const group = 'runAsGroup: Forbidden: not supported by Flotilla: set runAsUser, too';
const root = 'runAsNonRoot: Forbidden: not supported by Flotilla: set runAsUser to another user than 0';

const cases: readonly (readonly [Context, Context, number | undefined, number | undefined, ...string[]])[] = [
  [undefined, undefined, undefined, undefined],
  [{ runAsUser: 7 }, undefined, 7, undefined],
  [undefined, { runAsUser: 7, runAsGroup: 8 }, 7, 8],
  [{ runAsUser: 0 }, { runAsUser: 7 }, 0, undefined],
  [{ runAsGroup: 9 }, { runAsUser: 7, runAsGroup: 8 }, 7, 9],
  [undefined, { runAsGroup: 8 }, undefined, 8, `spec.securityContext.${group}`],
  [{ runAsGroup: 8 }, undefined, undefined, 8, `spec.containers[0].securityContext.${group}`],
  [undefined, { runAsNonRoot: true }, undefined, undefined, `spec.securityContext.${root}`],
  [{ runAsUser: 0 }, { runAsNonRoot: true }, 0, undefined, `spec.securityContext.${root}`],
  [{ runAsUser: 7 }, { runAsNonRoot: true }, 7, undefined],
  [{ runAsNonRoot: false }, { runAsNonRoot: true }, undefined, undefined],
  [{ runAsNonRoot: true }, { runAsUser: 7 }, 7, undefined],
  [{ runAsNonRoot: true }, undefined, undefined, undefined, `spec.containers[0].securityContext.${root}`],
];

for (const [own, pod, user, gid, ...problems] of cases) {
  test(`container ${JSON.stringify(own)} in pod ${JSON.stringify(pod)} runs as ${user}:${gid}`, () => {
    const one = spec(own, pod);
    assert.deepEqual(runAs(one, one.containers[0]!), { user, group: gid });
    const errors: FieldError[] = [];
    validateRights(one, 'spec', errors);
    assert.deepEqual(
      errors.map(({ field, message }) => `${field}: ${message}`),
      problems,
    );
  });
}

test('the network of the node is not turned for one pod', () => {
  const sysctls = [{ name: 'kernel.shmmax', value: '1' }, { name: 'net.core.somaxconn', value: '1' }, JSON.parse('{}')];
  const errors: FieldError[] = [];
  validateRights(spec(undefined, { sysctls }, { hostNetwork: true }), 'spec', errors);
  assert.deepEqual(
    errors.map(({ field }) => field),
    ['spec.securityContext.sysctls[1].name'],
  );
});
