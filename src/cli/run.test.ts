import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stack } from '../resources/kinds.ts';
import { commandWord } from './run.ts';
import { withoutSecrets } from './stack/deploy.ts';

test('the command is found behind global options', () => {
  const cases: [string[], string][] = [
    [['ps'], 'ps'],
    [['--context', 'lab', 'ps'], 'ps'],
    [['-v', '--grid', 'lab', '--context=lab', 'node', 'ls'], 'node'],
    [['lab', 'up'], 'lab'],
    [['--help'], ''],
    [[], ''],
  ];
  for (const [argv, word] of cases) assert.equal(commandWord(argv), word, argv.join(' '));
});

test('a dry run shows no value that came from outside', () => {
  const stack: Stack = {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: 'shop', namespace: 'shop' },
    spec: {
      services: { web: { image: 'a', instances: 1, environment: { A: 'b' }, secretEnvironment: { PW: 'geheim' } } },
      secrets: { s: { data: Buffer.from('geheim').toString('base64') } },
    },
  };
  const shown = withoutSecrets(stack);
  assert.deepEqual(shown.spec.services.web?.environment, { A: 'b' });
  assert.deepEqual(shown.spec.services.web?.secretEnvironment, { PW: '(hidden)' });
  assert.deepEqual(shown.spec.secrets, { s: { data: '(6 bytes)' } });
  assert.equal(stack.spec.services.web?.secretEnvironment?.PW, 'geheim');
});
