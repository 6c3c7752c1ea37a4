import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '../../lib/errors.ts';
import { createFailPoints, parseFailPoints } from './fail-point.ts';
import { stepTypes } from './steps/run-step.ts';

describe('fail points', () => {
  it('act once, at their step and moment alone', () => {
    const sent: string[] = [];
    const points = parseFailPoints('create:after:kill, stop:before:freeze', stepTypes);
    const reach = createFailPoints(points, (name) => void sent.push(name));
    reach('create', 'before');
    reach('start', 'after');
    assert.deepEqual(sent, []);
    reach('create', 'after');
    reach('create', 'after');
    reach('stop', 'before');
    assert.deepEqual(sent, ['SIGKILL', 'SIGSTOP']);
  });

  it('refuse what would never act', () => {
    for (const text of ['', 'create', 'creat:after:kill', 'create:during:kill', 'create:after:explode']) {
      assert.throws(
        () => parseFailPoints(text, stepTypes),
        (error) => hasCode(error, 'BadUsage'),
        text,
      );
    }
  });
});
